"""``deqir-lite`` and ``python -m deqir_lite``: the command line."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from deqir_lite._terminal import run


def main() -> None:
    """The program: the command line with its signals, streams and exit code."""
    sys.exit(run(_load))


def _load() -> Callable[[], Any]:
    from deqir_lite.cli import app

    return partial(app, prog_name="deqir-lite")


if __name__ == "__main__":
    main()

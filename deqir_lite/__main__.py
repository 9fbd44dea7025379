"""``deqir-lite`` and ``python -m deqir_lite``: the command line.

Imports nothing until :func:`main` handles signals: what Ctrl-C says before, in some hundredths of a
second, is Python's (a traceback of its own start, of ``site`` and of the script that pip has made),
and nothing of ours runs then.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def main() -> None:
    """The program: the command line with its signals, streams and exit code."""
    from deqir_lite._interrupts import end_at_once

    end_at_once()
    import sys

    from deqir_lite._terminal import run

    sys.exit(run(_load))


def _load() -> Callable[[], Any]:
    from functools import partial

    from deqir_lite.cli import app

    return partial(app, prog_name="deqir-lite")


if __name__ == "__main__":
    main()

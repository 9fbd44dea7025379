"""Long measurements that can go on later: the file that holds them, and with which prior."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tqdm.auto import tqdm

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite.machine import machine, versions
from deqir_lite.priors.base import Prior
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior

PRIOR = "photo64"
"""What the studies of the book are measured with."""


class _Measured(Protocol):
    @property
    def run(self) -> Any: ...


Entry = TypeVar("Entry", bound=_Measured)


@dataclass(frozen=True)
class StudyFile(Generic[Entry]):
    """A kind of study: entries (what was run, and what came out) in one JSON file.

    * ``kind``: its name in messages; ``module``: its command; ``key``: where the entries are,
    * ``encode`` and ``decode``: an entry to what the file holds of it, and back.
    """

    kind: str
    module: str
    key: str
    encode: Callable[[Entry], dict[str, Any]]
    decode: Callable[[dict[str, Any]], Entry]

    def read(self, path: Path) -> list[Entry]:
        """All entries; FileNotFoundError, or ValueError when the file is none of this kind."""
        return self._read(path)[1]

    def run(
        self,
        path: Path,
        runs: Iterable[Any],
        measure: Callable[[list[Any], Prior], Iterator[Entry]],
        prior: Prior | None = None,
        show_progress: bool = False,
    ) -> list[Entry]:
        """Measure the ``runs`` that the file lacks; it is written anew, whole, after each.

        Returns all entries. Raises FileNotFoundError when there is no folder for the file, and
        ValueError when it exists and is no such study, or one of another prior than ``prior``.
        """
        prior = load_prior(PRIOR) if prior is None else prior
        digest = prior_digest(prior, repr(prior))
        entries = self._resume(path, digest)
        done = {entry.run for entry in entries}
        missing = [run for run in runs if run not in done]
        self._write(path, entries, digest)
        bar = tqdm(total=len(missing), disable=not show_progress, desc="study", unit="run")
        with bar:
            for entry in measure(missing, prior):
                entries.append(entry)
                self._write(path, entries, digest)
                bar.update()
        return entries

    def _resume(self, path: Path, digest: str) -> list[Entry]:
        if not path.exists():
            return []
        there, entries = self._read(path)
        if entries and there != digest:
            raise ValueError(
                f"out: {str(path)!r} was measured with another prior ({there} there, {digest} "
                "now); delete it or name another file"
            )
        return entries

    def _read(self, path: Path) -> tuple[str | None, list[Entry]]:
        if not path.is_file():
            raise FileNotFoundError(f"path: no study {str(path)!r}")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return content.get("prior"), [self.decode(entry) for entry in content[self.key]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"path: {str(path)!r} is no {self.kind} study ({error!r})") from error

    def _write(self, path: Path, entries: Iterable[Entry], digest: str) -> None:
        content = {
            "command": f"python -m {self.module}",
            "versions": versions(),
            "machine": machine(),
            "prior": digest,
            self.key: [self.encode(entry) for entry in entries],
        }
        write_atomically(path, to_json(content).encode(), name="out")

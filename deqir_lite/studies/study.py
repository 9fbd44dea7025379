"""A long measurement that can go on later: its file, and with which prior it was made."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tqdm.auto import tqdm

from deqir_lite._json import write_json
from deqir_lite.bundled import data_path
from deqir_lite.chain import ChainSettings
from deqir_lite.machine import machine, versions
from deqir_lite.priors.base import Prior
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior

PRIOR = "photo64"
"""What the studies of the book are measured with."""


class _Measured(Protocol):
    @property
    def run(self) -> Any: ...


def chain_settings(run: Any) -> ChainSettings:
    """What a run with ``num_steps``, ``eta`` and ``spacing`` says of its chain."""
    return {"num_steps": run.num_steps, "eta": run.eta, "spacing": run.spacing}


Entry = TypeVar("Entry", bound=_Measured)


@dataclass(frozen=True)
class Study(Generic[Entry]):
    """Entries, each a run and what came out, in one JSON file.

    * ``name``: of the study, of its command and of the file that comes with the book,
    * ``key``: where the file has the entries; ``runs``: the dataclass of their runs,
    * ``measure``: runs and prior to entries, one by one,
    * ``encode`` and ``decode``: what came out to what the file holds of it, and back.
    """

    name: str
    key: str
    runs: type
    measure: Callable[[Sequence[Any], Prior], Iterator[Entry]]
    encode: Callable[[Entry], dict[str, Any]]
    decode: Callable[[Any, dict[str, Any]], Entry]

    def load(self, path: str | Path | None = None) -> list[Entry]:
        """All entries of a file, by default of the one that comes with the book.

        Raises FileNotFoundError, or ValueError when the file is none of this study.
        """
        if path is None:
            path = data_path("benchmarks") / f"{self.name}.json"
        return self._read(path)[1]

    def run(
        self,
        out: str | Path,
        runs: Iterable[Any],
        *,
        prior: Prior | None = None,
        prior_name: str | None = None,
        show_progress: bool = False,
    ) -> list[Entry]:
        """Measure the ``runs`` that the file ``out`` lacks; it is written anew, whole, after each.

        ``prior`` is by default :data:`PRIOR`. A prior that is a function is known again by
        ``prior_name`` alone, and refused without. Returns all entries of the file. Raises
        FileNotFoundError when there is no folder for it, and ValueError when it exists and is none
        of this study, or was measured with another prior.
        """
        prior = load_prior(PRIOR) if prior is None else prior
        digest = prior_digest(prior, prior_name)
        there, entries = self._read(out) if Path(out).exists() else (None, [])
        if entries and there != digest:
            raise ValueError(
                f"out: {str(out)!r} was measured with another prior ({there} there, {digest} now); "
                "delete it or name another file"
            )
        done = {entry.run for entry in entries}
        missing = [run for run in runs if run not in done]
        self._write(out, entries, digest)
        with tqdm(total=len(missing), disable=not show_progress, desc="study", unit="run") as bar:
            for entry in self.measure(missing, prior):
                entries.append(entry)
                self._write(out, entries, digest)
                bar.update()
        return entries

    def _read(self, path: str | Path) -> tuple[str | None, list[Entry]]:
        if not Path(path).is_file():
            raise FileNotFoundError(f"path: no study {str(path)!r}")
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return content.get("prior"), [self._entry(row) for row in content[self.key]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"path: {str(path)!r} is no {self.name} study ({error!r})") from error

    def _entry(self, row: dict[str, Any]) -> Entry:
        values = {field.name: row[field.name] for field in fields(self.runs)}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return self.decode(self.runs(**values | lists), row)

    def _write(self, path: str | Path, entries: Iterable[Entry], digest: str) -> None:
        content = {
            "command": f"deqir-lite study {self.name}",
            "versions": versions(),
            "machine": machine(),
            "prior": digest,
            self.key: [asdict(entry.run) | self.encode(entry) for entry in entries],
        }
        write_json(Path(path), content, name="out")

"""A long measurement that can go on later: its file, and with which prior it was made."""

import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

from pydantic import Strict, create_model
from tqdm.auto import tqdm

from deqir_lite._json import Schema, Text, read_schema, write_json
from deqir_lite._outputs import check_output, only_process
from deqir_lite.bundled import data_path
from deqir_lite.chain import ChainSettings
from deqir_lite.machine import commit, machine, versions
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
    * ``row``: the schema of what the file holds of an entry beside its run,
    * ``encode`` and ``decode``: what came out to what the file holds of it, and back,
    * ``command``: by default ``deqir-lite study`` with the name.
    """

    name: str
    key: str
    runs: type
    measure: Callable[[Sequence[Any], Prior], Iterator[Entry]]
    row: type[Schema]
    encode: Callable[[Entry], dict[str, Any]]
    decode: Callable[[Any, Any], Entry]
    command: str = ""

    def load(self, path: str | Path | None = None) -> list[Entry]:
        """All entries of a file, by default of the one that comes with the book.

        Raises FileNotFoundError, or ValueError when the file is none of this study.
        """
        if path is None:
            path = data_path("benchmarks") / f"{self.name}.json"
        return self._read(Path(path), name="path")[1]

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
        FileNotFoundError when there is no folder for it, ValueError when it exists and is none
        of this study, or was measured with another prior, and BlockingIOError when another process
        works on it.
        """
        path = Path(out)
        check_output("out", path)
        with only_process("out", path):
            return self._run(path, runs, prior, prior_name, show_progress)

    def _run(
        self,
        out: Path,
        runs: Iterable[Any],
        prior: Prior | None,
        prior_name: str | None,
        show_progress: bool,
    ) -> list[Entry]:
        there, entries = self._read(out, name="out") if out.exists() else (None, [])
        prior = load_prior(PRIOR) if prior is None else prior
        digest = prior_digest(prior, prior_name)
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

    def _read(self, path: Path, *, name: str) -> tuple[str | None, list[Entry]]:
        try:
            content = read_schema(path, self._schema(), name=name)
            rows: list[Any] = getattr(content, self.key)
            entries = []
            for k, row in enumerate(rows):
                values = row.model_dump()
                run = self.runs(**{field: values.pop(field) for field in _fields(self.runs)})
                try:
                    entries.append(self.decode(run, row))
                except ValueError as error:
                    raise ValueError(f"{name}: {path}: {self.key}.{k}.{error}") from error
        except ValueError as error:
            raise ValueError(f"{error}; it is no {self.name} study") from error
        return content.prior, entries  # type: ignore[attr-defined]

    def _schema(self) -> type[Schema]:
        """The whole file; a row has the fields of its run and those of ``row``."""
        fields: Any = {name: (kind, ...) for name, kind in _fields(self.runs).items()}
        row = create_model("Row", __base__=self.row, **fields)
        content: Any = {"prior": (str | None, None), self.key: (list[row], ...)}  # type: ignore[valid-type]
        return create_model("File", __base__=Schema, **content)

    def _write(self, path: str | Path, entries: Iterable[Entry], digest: str) -> None:
        content = {
            "command": self.command or f"deqir-lite study {self.name}",
            "versions": versions(),
            "commit": commit(),
            "machine": machine(),
            "prior": digest,
            self.key: [asdict(entry.run) | self.encode(entry) for entry in entries],
        }
        write_json(Path(path), content, name="out")


def _fields(runs: type) -> dict[str, Any]:
    """The types of a dataclass's fields as the file has them."""
    return {name: _in_file(kind) for name, kind in typing.get_type_hints(runs).items()}


def _in_file(kind: Any) -> Any:
    """A tuple is a list in JSON, and a name of a file need not be UTF-8."""
    if typing.get_origin(kind) is tuple:
        parts = tuple(part if part is ... else _in_file(part) for part in typing.get_args(kind))
        return Annotated[tuple[parts], Strict(False)]  # type: ignore[valid-type]
    return Text if kind is str else kind

"""The results file: every number as soon as it is known, and what it was computed with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from deqir_lite._json import read_schema, write_json
from deqir_lite.machine import describe_device, versions
from deqir_lite.priors.files import RESULTS_FILE
from deqir_lite.studies.evaluation.references import Scores
from deqir_lite.studies.evaluation.schemas import FORMAT, ResultsFile
from deqir_lite.studies.evaluation.settings import Setting


@dataclass
class Results:
    """Scores by photo, in ``folder`` / evaluation.json.

    * ``settings``: what all numbers share (prior, photos, seeds, spacing as its exponent, dtype);
      another run with other settings is refused,
    * ``context``: versions and devices that contributed,
    * ``references``: (task, size, photo) -> method -> scores,
    * ``samples``: (setting, photo) -> scores of each seed ("single") and of their "mean"; at the
      size of the goals also those of the mean of the same chains under the "gaussian" prior.
    """

    folder: Path
    settings: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    references: dict[tuple[str, int, str], dict[str, Scores]] = field(default_factory=dict)
    samples: dict[tuple[Setting, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """The results in ``folder``; FileNotFoundError without, ValueError for a damaged file."""
        path = folder / RESULTS_FILE
        try:
            stored = read_schema(path, ResultsFile, name="out")
        except ValueError as error:
            raise ValueError(
                f"{error}; it is no results file of this version of the program: delete it or take "
                "another folder"
            ) from error
        results = cls(folder, stored.settings.model_dump(), stored.context)
        for row in stored.references:
            entry = row.model_dump()
            key = (entry.pop("task"), entry.pop("size"), entry.pop("photo"))
            results.references[key] = entry
        for sample in stored.samples:
            entry = sample.model_dump(exclude_unset=True)
            setting = Setting(*(entry.pop(name) for name in Setting._fields))
            results.samples[setting, entry.pop("photo")] = entry
        return results

    @classmethod
    def resume(cls, folder: Path, settings: dict[str, Any]) -> "Results":
        """The results in ``folder`` to go on with, or new ones.

        Raises ValueError, naming the difference, when they were computed with other settings.
        """
        if not (folder / RESULTS_FILE).exists():
            return cls(folder, settings)
        results = cls.load(folder)
        check_same_settings(folder / RESULTS_FILE, results.settings, settings)
        return results

    def add_contributor(self, device: torch.device) -> None:
        """Enter this run's ``device`` and software into ``context``, beside those of earlier runs.

        ``versions`` has one text for each package: the version, or all that contributed in their
        order, "2.12.0, 2.13.0".
        """
        context = self.context
        context["devices"] = sorted({*context.get("devices", []), describe_device(device)})
        there = context.setdefault("versions", {})
        for name, now in versions().items():
            known = there[name].split(", ") if name in there else []
            there[name] = ", ".join(known if now in known else [*known, now])

    def save(self) -> Path:
        """Write the file, all or nothing: an interrupted or failed write keeps the old one."""
        references = [
            {"task": task, "size": size, "photo": photo} | scores
            for (task, size, photo), scores in self.references.items()
        ]
        samples = [
            setting._asdict() | {"photo": photo} | scores
            for (setting, photo), scores in self.samples.items()
        ]
        content = {
            "format": FORMAT,
            "settings": self.settings,
            "context": self.context,
            "references": references,
            "samples": samples,
        }
        return write_json(self.folder / RESULTS_FILE, content, name="out")


def check_same_settings(file: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise ValueError, naming the difference, when the results in a ``file`` were computed with
    other settings than those of now."""
    for name in there | here:
        if there.get(name) != here.get(name):
            raise ValueError(
                f"out: {str(file)!r} holds results with another {name}: "
                f"{_brief(there.get(name), here.get(name))}; take another folder or delete the file"
            )


def _brief(there: Any, here: Any) -> str:
    """What differs: for tables such as the photos only the entries that do."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = [name for name in there | here if there.get(name) != here.get(name)]
        return f"different {', '.join(map(str, names[:3]))}" + (", ..." if len(names) > 3 else "")
    return f"{there!r} there, {here!r} now"

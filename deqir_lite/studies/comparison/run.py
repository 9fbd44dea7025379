"""The work: restorations one by one, shared among processes, each kept when it is done."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from deqir_lite._outputs import only_process
from deqir_lite.memory import explaining_memory
from deqir_lite.priors.base import Prior
from deqir_lite.studies.comparison.measure import measure
from deqir_lite.studies.comparison.networks import Network
from deqir_lite.studies.comparison.rows import Found, Journal, read_rows, rows_file
from deqir_lite.studies.comparison.settings import Setting
from deqir_lite.studies.evaluation.photos import Photo, photos_of

PATIENCE = 60.0
"""Seconds to wait for another process that writes the tables."""


@dataclass(frozen=True)
class Restoration:
    """One photo with one setting and one seed."""

    setting: Setting
    photo: Photo
    seed: int

    @property
    def key(self) -> tuple[Setting, str, int]:
        """As its row has it."""
        return self.setting, self.photo.name, self.seed


def restorations(
    plan: Sequence[Setting],
    photos: Sequence[Photo],
    *,
    seeds: int,
    rank: int = 0,
    processes: int = 1,
) -> list[Restoration]:
    """What process number ``rank`` of several does: photo by photo, so that after less time there
    are fewer photos, but of all methods. What has no chain has one seed."""
    suitable = {
        (task, size): set(photos_of(task, photos, size=size))
        for task, size in dict.fromkeys((setting.task, setting.size) for setting in plan)
    }
    return [
        Restoration(setting, photo, seed)
        for photo in photos[rank::processes]
        for setting in plan
        if photo in suitable[setting.task, setting.size]
        for seed in range(seeds if setting.timesteps else 1)
    ]


@dataclass
class Comparison:
    """Fills the file of process number ``rank`` in ``folder``, which is there.

    * ``name``: of the prior, for the reader,
    * ``settings``: what all numbers share; the ``dtype`` among them decides the precision of the
      chain, float64 or float32; ``lpips``, ``features`` and ``inception``: networks of distances,
    * ``device``: of the chains,
    * ``networks``: those that are compared, by name,
    * ``pictures``: rows have what was restored, too.
    """

    prior: Prior
    name: str
    folder: Path
    settings: dict[str, Any]
    device: torch.device
    rank: int = 0
    networks: Mapping[str, Network] = field(default_factory=dict)
    pictures: bool = False

    def run(self, wanted: Iterable[Restoration], *, show_progress: bool = False) -> None:
        """Do what is ``wanted`` and no process has done.

        Raises ValueError when the folder holds results with other settings, and when memory does
        not suffice; BlockingIOError when a process of this number is at work there.
        """
        path = rows_file(self.folder, self.rank)
        with only_process("out", path):
            done = set(read_rows(self.folder, self.settings).rows)
            missing = [each for each in wanted if each.key not in done]
            journal = Journal(path)
            if missing:
                journal.begin(self.settings, self.name, self.device)
            with tqdm(total=len(missing), disable=not show_progress, unit="photo") as bar:
                for each in missing:
                    bar.set_description(f"{each.setting.method} {each.setting.task}")
                    self._do(each, journal)
                    bar.update()

    def _do(self, each: Restoration, journal: Journal) -> None:
        size = each.setting.size
        dtype = torch.float64 if self.settings["dtype"] == "float64" else torch.float32
        with explaining_memory(
            f"memory: not enough for {each.setting.method} at {size} pixels a side; results so "
            "far are saved, go on with smaller --sizes, a smaller --max-batch or --forms none"
        ):
            row = measure(
                each.setting,
                each.photo.load(size).to(self.device, dtype),
                self.prior,
                photo=each.photo.name,
                seed=each.seed,
                net=self.settings["lpips"],
                features=self.settings.get("features"),
                inception=self.settings.get("inception"),
                pictures=self.pictures,
                networks=self.networks,
            )
        journal.add(row)


@contextmanager
def merged(folder: Path, file: Path) -> Iterator[Found]:
    """The rows of all processes, while no other one writes ``file``.

    Each process merges when it has done its part, so that the last one merges everything. Raises
    BlockingIOError when another process is at it for too long.
    """
    deadline = time.monotonic() + PATIENCE
    with ExitStack() as at_work:
        while True:
            try:
                at_work.enter_context(only_process("out", file))
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)
        yield read_rows(folder)

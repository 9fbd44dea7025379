"""The work: independent cells (setting, photo), saved as they are done."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from tqdm.auto import tqdm

from deqir_lite.chain import ChainSettings
from deqir_lite.memory import explaining_memory
from deqir_lite.operators import make_task
from deqir_lite.priors.base import Prior
from deqir_lite.priors.load import load_gaussian
from deqir_lite.restoration import Problem, pose_problem, restore_problem
from deqir_lite.studies.evaluation.goals import GOAL_SIZE
from deqir_lite.studies.evaluation.photos import Photo, check_photo_sizes, photos_of
from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.references import reference_scores, score, scores
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import MASK_SEED, Setting, seeds_of


@dataclass
class Evaluation:
    """A prior on photos: ``run`` goes through a plan and fills ``results``.

    * ``results``: its settings say which seeds the chains have, how their timesteps are spaced,
      and whether they are computed in float64 or, for every other dtype of the network, float32,
    * ``pictures``: keeps the images that the figure shows,
    * ``batch``: images through the network at once,
    * ``device``: of the chains; the simpler methods work in float64, on the CPU.
    """

    prior: Prior
    photos: Sequence[Photo]
    results: Results
    pictures: Pictures
    batch: int
    device: torch.device

    def run(
        self,
        plan: Sequence[Setting],
        *,
        minutes: float | None = None,
        references_only: bool = False,
        show_progress: bool = False,
        draw: bool = True,
    ) -> bool:
        """Compute what ``plan`` asks for and ``results`` lacks; False when time ran out.

        The stages of the plan (a size and a chain length) come in its order. Within a stage every
        task has the first photos before any has the next, so that less time means fewer photos.
        ``minutes`` is looked at before each batch: a batch that has begun is finished. With
        ``references_only`` everything but the samples of the prior is computed. The pictures of the
        first stage are kept, and those that an earlier run has not left behind are computed
        again; with ``draw`` False only beside others that are there. Raises ValueError when all
        photos are smaller than a size, or when memory does not suffice; all that was computed
        before is saved.
        """
        check_photo_sizes(self.photos, (setting.size for setting in plan))
        self.results.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + 60 * (float("inf") if minutes is None else minutes)
        drawing = (draw or self.pictures.rows) and not references_only
        shown = [setting for setting in plan if drawing and setting[1:3] == plan[0][1:3]]
        lost = [setting for setting in shown if self._has_lost_its_picture(setting)]
        missing = {setting: self._missing(setting, references_only) for setting in plan}
        total = len(lost) + sum(map(len, missing.values()))
        with tqdm(total=total, disable=not show_progress) as bar:
            for setting in lost:
                if time.monotonic() >= deadline:
                    return False
                self._draw_again(setting)
                bar.update()
            for _, stage in groupby(missing.items(), key=lambda item: item[0][1:3]):
                for setting, photos in self._batches(dict(stage)):
                    if time.monotonic() >= deadline:
                        return False
                    bar.set_description(f"{setting.task} {setting.size}px T={setting.timesteps}")
                    self._compute(setting, photos, references_only, shown)
                    bar.update(len(photos))
        return True

    def _missing(self, setting: Setting, references_only: bool) -> list[Photo]:
        """The photos of a setting that ``results`` lacks."""
        photos = photos_of(setting.task, self.photos, size=setting.size)
        if references_only:
            cell = (setting.task, setting.size)
            known = {photo for *found, photo in self.results.references if tuple(found) == cell}
        else:
            known = {
                photo
                for (ran, photo), entry in self.results.samples.items()
                if ran == setting and ("gaussian" in entry or not _has_companion(setting))
            }
        return [photo for photo in photos if photo.name not in known]

    def _batches(
        self, missing: dict[Setting, list[Photo]]
    ) -> Iterator[tuple[Setting, list[Photo]]]:
        """Each setting with its first photos, then each with its next ones, and so on.

        As many photos together as one batch holds with all their seeds, at least one.
        """
        queues = {setting: list(photos) for setting, photos in missing.items()}
        while any(queues.values()):
            for setting, queue in queues.items():
                if queue:
                    count = max(1, self.batch // self._seeds_of(setting))
                    yield setting, queue[:count]
                    del queue[:count]

    def _compute(
        self,
        setting: Setting,
        photos: list[Photo],
        references_only: bool,
        shown: Collection[Setting],
    ) -> None:
        self.results.add_contributor(self.device)
        operator = make_task(setting.task, (setting.size, setting.size), seed=MASK_SEED)
        truths = torch.cat([photo.load(setting.size) for photo in photos])
        for photo, truth in zip(photos, truths, strict=True):
            key = (setting.task, setting.size, photo.name)
            if key not in self.results.references:
                self.results.references[key] = reference_scores(operator, truth[None])
        self.results.save()
        if references_only:
            return
        start = time.perf_counter()
        restored = self._restore(setting, truths, self.prior)
        seconds = (time.perf_counter() - start) / len(photos)
        entries = {}  # for the results only when all of an entry is there
        for photo, truth, samples in zip(photos, truths, restored, strict=True):
            mean = samples.mean(dim=0, keepdim=True)
            entries[setting, photo.name] = {
                "single": scores(samples, truth[None]),
                "mean": score(mean, truth[None]),
                "seconds": seconds,
            }
            if setting in shown and photo == self._shown_photo(setting.size):
                self.pictures.keep(setting, operator, truth[None], samples[:1], mean)
        if _has_companion(setting):
            # The mean of the same chains under the prior whose exact answer is among the
            # references: what lies between is lost by the sampler, and no prior could regain it.
            walked = self._restore(setting, truths, load_gaussian(self.prior.schedule))
            for entry, truth, samples in zip(entries.values(), truths, walked, strict=True):
                entry["gaussian"] = score(samples.mean(dim=0, keepdim=True), truth[None])
        self.results.samples |= entries
        self.results.save()

    def _has_lost_its_picture(self, setting: Setting) -> bool:
        photo = self._shown_photo(setting.size)
        return setting not in self.pictures.rows and (setting, photo.name) in self.results.samples

    def _draw_again(self, setting: Setting) -> None:
        """The picture alone: the numbers stay, which may be those of another machine."""
        operator = make_task(setting.task, (setting.size, setting.size), seed=MASK_SEED)
        truth = self._shown_photo(setting.size).load(setting.size)
        (samples,) = self._restore(setting, truth, self.prior)
        mean = samples.mean(dim=0, keepdim=True)
        self.pictures.keep(setting, operator, truth, samples[:1], mean)

    def _seeds_of(self, setting: Setting) -> int:
        return seeds_of(
            setting, self.results.settings["seeds"], all_seeds=self.results.settings["all_seeds"]
        )

    def _restore(self, setting: Setting, truths: Tensor, prior: Prior) -> Tensor:
        """(P, S, 3, H, W), float64 on the CPU, not clamped."""
        dtype = torch.float64 if self.results.settings["dtype"] == "float64" else torch.float32
        truths = truths.to(self.device, dtype)
        problem = pose_problem(truths, setting.task, mask_seed=MASK_SEED)
        spacing, seeds = self.results.settings["spacing"], self._seeds_of(setting)
        with explaining_memory(
            f"batch: out of memory with {self.batch} images of {setting.size} pixels a side; "
            "results so far are saved, go on with a smaller --batch"
        ):
            chunks = restore_samples(
                problem,
                prior,
                settings={"num_steps": setting.timesteps, "eta": setting.eta, "spacing": spacing},
                seeds=seeds,
                batch=self.batch,
            )
            samples = torch.cat([chunk.cpu().double() for chunk in chunks])
        return samples.unflatten(0, (len(truths), seeds))

    def _shown_photo(self, size: int) -> Photo:
        large = [photo for photo in self.photos if photo.side >= size]
        return next((photo for photo in large if photo.coloured), large[0])


def _has_companion(setting: Setting) -> bool:
    """Whether an entry has the mean under the Gaussian prior, too, and is half of one without."""
    return setting.size == GOAL_SIZE


def restore_samples(
    problem: Problem,
    prior: Prior,
    *,
    settings: ChainSettings,
    seeds: int,
    batch: int,
) -> Iterator[Tensor]:
    """Posterior samples x_0 of all photos with the seeds 0, 1, ..., at most ``batch`` at a time.

    Every sample has the noise that a chain of that
    photo and seed alone would have, so the batch does not decide the numbers. The chain is
    walked step by step; the parallel solvers find the same samples with more evaluations.

    Yields (b, 3, H, W), photo by photo and within one seed by seed; not clamped.
    """
    together = max(1, batch // seeds)
    for i in range(0, len(problem.y), together):
        part = problem[i : i + together]
        for first in range(0, seeds, batch):
            restored = restore_problem(
                part,
                prior,
                method="ddnm",
                settings=settings,
                seed=first,
                samples=min(batch, seeds - first),
                sampler="sequential",
            )
            yield restored.solution.x0

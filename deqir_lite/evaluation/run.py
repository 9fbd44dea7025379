"""The work: independent cells (setting, photo), saved as they are done."""

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from deqir_lite.evaluation.baselines import baseline_of
from deqir_lite.evaluation.photos import Photo
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.references import tv_restoration
from deqir_lite.evaluation.results import Results, Scores
from deqir_lite.evaluation.sampling import restore_samples
from deqir_lite.evaluation.settings import MASK_SEED, Setting
from deqir_lite.metrics import SSIM_WINDOW, psnr, ssim
from deqir_lite.operators import LinearOperator, make_task
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian_posterior import GaussianPosterior
from deqir_lite.priors.load import load_gaussian


@dataclass
class Evaluation:
    """A prior on photos: ``run`` goes through a plan and fills ``results``.

    * ``seeds``: of the chains, the same for every photo; ``batch``: images through the network
      at once,
    * ``device`` and ``dtype`` (float32 or float64) of the chains; the baselines and reference
      methods work in float64, on the CPU,
    * ``pictures``: keeps the images that the figure shows.
    """

    prior: Prior
    photos: Sequence[Photo]
    results: Results
    pictures: Pictures
    seeds: Sequence[int]
    batch: int
    device: torch.device
    dtype: torch.dtype = torch.float32

    def run(
        self,
        plan: Sequence[Setting],
        minutes: float | None = None,
        references_only: bool = False,
        show_progress: bool = False,
    ) -> bool:
        """Compute what ``plan`` asks for and ``results`` lacks, in order; False when time ran out.

        ``minutes`` is looked at before each batch: a batch that has begun is finished. With
        ``references_only`` everything but the samples of the prior is computed. Raises ValueError
        when memory does not suffice; all that was computed before is saved.
        """
        deadline = time.monotonic() + 60 * (float("inf") if minutes is None else minutes)
        cells = {setting: photos_of(setting.task, self.photos) for setting in plan}
        with tqdm(total=sum(map(len, cells.values())), disable=not show_progress) as bar:
            for setting, photos in cells.items():
                bar.set_description(f"{setting.task} {setting.size}px T={setting.timesteps}")
                missing = [p for p in photos if not self._known(setting, p, references_only)]
                bar.update(len(photos) - len(missing))
                for part in self._parts(missing):
                    if time.monotonic() >= deadline:
                        return False
                    self._compute(setting, part, references_only, plan[0])
                    bar.update(len(part))
        return True

    def _known(self, setting: Setting, photo: Photo, references_only: bool) -> bool:
        if references_only:
            return (setting.task, setting.size, photo.name) in self.results.references
        return (setting, photo.name) in self.results.samples

    def _parts(self, photos: list[Photo]) -> Iterator[list[Photo]]:
        """As many photos as one batch holds with all their seeds, at least one."""
        count = max(1, self.batch // len(self.seeds))
        for first in range(0, len(photos), count):
            yield photos[first : first + count]

    def _compute(
        self, setting: Setting, photos: list[Photo], references_only: bool, shown: Setting
    ) -> None:
        operator = make_task(setting.task, (setting.size, setting.size), MASK_SEED)
        truths = torch.cat([photo.load(setting.size) for photo in photos])
        for photo, truth in zip(photos, truths, strict=True):
            key = (setting.task, setting.size, photo.name)
            if key not in self.results.references:
                self.results.references[key] = reference_scores(operator, truth[None])
        self.results.save()
        if references_only:
            return
        start = time.perf_counter()
        restored = self._restore(setting, operator, truths)
        seconds = (time.perf_counter() - start) / len(photos)
        for photo, truth, samples in zip(photos, truths, restored, strict=True):
            mean = samples.mean(dim=0, keepdim=True)
            self.results.samples[setting, photo.name] = {
                "single": scores(samples, truth[None]),
                "mean": {name: values[0] for name, values in scores(mean, truth[None]).items()},
                "seconds": seconds,
            }
            if setting[1:3] == shown[1:3] and photo == self._shown_photo():
                self.pictures.keep(setting, operator, truth[None], samples[:1], mean)
        self.results.save()

    def _restore(self, setting: Setting, operator: LinearOperator, truths: Tensor) -> Tensor:
        """(P, S, 3, H, W), float64 on the CPU, not clamped."""
        y = operator.A(truths.to(self.device, self.dtype))
        try:
            chunks = restore_samples(
                self.prior, operator, y, setting.timesteps, setting.eta, self.seeds, self.batch
            )
            samples = torch.cat([chunk.cpu().double() for chunk in chunks])
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise ValueError(
                    f"batch: out of memory with {self.batch} images of {setting.size} pixels a "
                    "side; results so far are saved, go on with a smaller --batch"
                ) from error
            raise
        return samples.unflatten(0, (len(truths), len(self.seeds)))

    def _shown_photo(self) -> Photo:
        return next((photo for photo in self.photos if photo.coloured), self.photos[0])


@functools.cache
def measures_brightness(task: str) -> bool:
    """Whether a task measures one channel, so that colour is what is restored."""
    return make_task(task, (64, 64)).measurement_shape((64, 64))[0] == 1


def photos_of(task: str, photos: Sequence[Photo]) -> list[Photo]:
    """The photos that a task is judged on: grey ones say nothing about colour, and are left out."""
    return [photo for photo in photos if photo.coloured or not measures_brightness(task)]


def reference_scores(operator: LinearOperator, truth: Tensor) -> dict[str, Scores]:
    """Scores of A^+ y, the baseline and both reference methods on one photo (1, 3, H, W)."""
    y = operator.A(truth)
    restored = {
        "pinv": operator.pinv(y),
        "baseline": baseline_of(operator).restore(operator, y),
        "tv": tv_restoration(operator, y),
        "gaussian": GaussianPosterior(_gaussian(), operator, y, tolerance=1e-5).mean(),
    }
    return {
        method: {name: values[0] for name, values in scores(image, truth).items()}
        for method, image in restored.items()
    }


def scores(images: Tensor, truth: Tensor) -> dict[str, list[float | None]]:
    """PSNR and SSIM of each image (B, 3, H, W), clamped; SSIM is None where it is undefined."""
    if not bool(torch.isfinite(images).all()):  # a prior can diverge: that is a result too
        return {"psnr": [0.0] * len(images), "ssim": [0.0] * len(images)}
    large = min(truth.shape[-2:]) >= SSIM_WINDOW
    return {
        "psnr": psnr(images, truth).tolist(),
        "ssim": ssim(images, truth).tolist() if large else [None] * len(images),
    }


_gaussian = functools.cache(load_gaussian)

"""What a run trains and is judged on: photos, dead-leaves pictures, or both."""

from collections.abc import Sequence

import torch

from deqir_lite.checks import check_interval
from deqir_lite.priors.load import load_gaussian
from deqir_lite.training.crops import CropSampler
from deqir_lite.training.dead_leaves import DeadLeaves
from deqir_lite.training.photos import split_photos
from deqir_lite.training.validation import validation_crops

POOL = 256
"""Dead-leaves pictures that crops are drawn from at any time."""

STEPS_PER_PICTURE = 4
"""Training steps after which the oldest picture of the pool makes room for a new one."""

HELD_OUT = 32
"""The first pictures of the stream are never trained on: a run without photos is judged on them."""

PICTURE_SIDE = 4
"""Side of a dead-leaves picture in units of the crop size: as much room for scales as in photos."""


class TrainingData:
    """Random training crops on ``device``, and the crops of ``size`` pixels to validate on.

    ``dead_leaves`` is the probability that a crop comes from dead-leaves pictures (``seed`` names
    their stream); with 1 ``photos`` may be empty, and if there are any they only validate. The
    pool of pictures depends on the training step only, so a resumed run sees the same ones.
    Raises ValueError for a share outside [0, 1], or when there are fewer than 2 photos.
    """

    def __init__(
        self,
        photos: Sequence[torch.Tensor],
        size: int,
        *,
        dead_leaves: float = 0.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
        final_size: int | None = None,
    ) -> None:
        dead_leaves = check_interval("dead_leaves", dead_leaves, 0.0, 1.0)
        self.device, self.dead_leaves = torch.device(device), float(dead_leaves)
        side = PICTURE_SIDE * size
        if dead_leaves > 0:
            self._leaves = DeadLeaves(load_gaussian().spectrum, side=side, seed=seed)
        training: list[torch.Tensor] = []
        held_out: list[torch.Tensor] = []
        if photos or dead_leaves < 1:
            training, held_out = split_photos(list(photos))
        judges = held_out or [self._leaves.picture(number) for number in range(HELD_OUT)]
        self.validation = validation_crops(judges, size).to(self.device)
        training = training if dead_leaves < 1 else []
        self.photos, self.held_out_photos = len(training), len(held_out)
        self._pixels = sum(photo.shape[-2] * photo.shape[-1] for photo in photos)
        self._pool = POOL if dead_leaves > 0 else 0
        self._shown = 0
        blank = torch.zeros(3, side, side, dtype=torch.uint8)  # until `prepare` puts pictures there
        weights = [(1 - dead_leaves) / max(1, self.photos)] * self.photos
        weights += [dead_leaves / max(1, self._pool)] * self._pool
        pictures = [*training, *[blank] * self._pool]
        self._samplers = {
            side: CropSampler(pictures, side, device=device, weights=weights)
            for side in {size, final_size or size}
        }

    def prepare(self, step: int) -> None:
        """Bring the pool of dead leaves to training step ``step`` = 0, 1, ...

        The first time, all of it is rendered: some seconds that do not belong to any step.
        """
        newest = self._pool + step // STEPS_PER_PICTURE if self._pool else 0
        for number in range(max(self._shown, newest - self._pool), newest):
            picture = self._leaves.picture(HELD_OUT + number)
            for sampler in self._samplers.values():
                sampler.replace(self.photos + number % self._pool, picture)
        self._shown = newest

    def draw(self, batch: int, step: int, generator: torch.Generator, size: int) -> torch.Tensor:
        """The crops (batch, 3, size, size) in [-1, 1] of training step ``step``.

        ``size`` is that of the data, or its ``final_size``.
        """
        self.prepare(step)
        return self._samplers[size].draw(batch, generator)

    def describe(self) -> dict[str, float]:
        """What the data is, for checkpoint, log and model card: numbers of photos, the share of
        dead leaves, and how many pixels all the photos have.

        Other photos are hardly ever as many and as large; unlike a digest of their values, these
        numbers are the same on every machine.
        """
        return {
            "training": self.photos,
            "held_out": self.held_out_photos,
            "dead_leaves": self.dead_leaves,
            "pixels": self._pixels,
        }

"""The photos of an evaluation: a folder, what in it can be read, and which photos are grey."""

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from deqir_lite.images import load_photo
from deqir_lite.images.folders import read_photos
from deqir_lite.operators import make_task


class Photo(NamedTuple):
    """A readable file: its ``name`` in the folder of photos, with that of its subfolder; the start
    of its SHA-256, whether it has colour, its short side."""

    path: Path
    name: str
    digest: str
    coloured: bool
    side: int

    def load(self, size: int) -> torch.Tensor:
        """The centred square, resized: (1, 3, size, size) in [-1, 1], float64."""
        return load_photo(self.path, size=size, dtype=torch.float64)


def find_photos(folder: Path, *, without: Path | None = None) -> list[Photo]:
    """The photos in ``folder``, by name; ``without``, warnings and errors as in
    :func:`read_photos`."""
    return [
        Photo(
            path,
            path.relative_to(folder).as_posix(),
            hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            _coloured(image),
            min(image.shape[-2:]),
        )
        for path, image in read_photos(folder, without=without)
    ]


def _coloured(image: torch.Tensor) -> bool:
    """Whether any channel is further from another than rounding puts it: one 8-bit step."""
    return bool((image.amax(dim=1) - image.amin(dim=1)).max() > 1.5 / 127.5)


def photos_of(task: str, photos: Sequence[Photo], *, size: int | None = None) -> list[Photo]:
    """The photos that a task is judged on, in squares of side ``size``.

    Grey ones say nothing about colour, and smaller ones would be enlarged: both are left out.
    """
    measures_brightness = make_task(task, (64, 64)).measurement_shape((64, 64))[0] == 1
    return [
        photo
        for photo in photos
        if (photo.coloured or not measures_brightness) and photo.side >= (size or 0)
    ]


def check_photo_sizes(photos: Sequence[Photo], sizes: Iterable[int]) -> None:
    """Warn, for each size, of the photos that are smaller; ValueError when all of them are."""
    for size in dict.fromkeys(sizes):
        small = [photo.name for photo in photos if photo.side < size]
        if small and len(small) == len(photos):
            raise ValueError(
                f"sizes: got {size}, but all {len(photos)} photos are smaller; the largest has "
                f"{max(photo.side for photo in photos)} pixels on its short side"
            )
        if small:
            warnings.warn(
                f"photos: left out {len(small)} of {len(photos)} at {size} pixels, which are "
                f"smaller, such as {small[0]}",
                stacklevel=2,
            )

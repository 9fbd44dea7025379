"""Training photos: a folder of them, read into memory and split."""

from pathlib import Path

import torch
import torch.nn.functional as F

from deqir_lite.images.folders import read_photos

LARGEST_SHORT_SIDE = 512
"""Larger photos are shrunk to this short side: a thousand camera photos then fit into memory."""


def load_photos(
    folder: str | Path, *, minimum: int = 64, without: Path | None = None
) -> list[torch.Tensor]:
    """All photos under ``folder`` as uint8 tensors (3, H, W), in the order of their paths.

    A short side above 512 pixels is shrunk to 512, antialiased: crops hardly ever need more.
    ``without``, warnings and errors as in :func:`read_photos`.
    """
    largest = max(minimum, LARGEST_SHORT_SIDE)
    found = read_photos(folder, minimum=minimum, without=without)
    return [_to_bytes(photo[0], largest) for _, photo in found]


def _to_bytes(photo: torch.Tensor, largest: int) -> torch.Tensor:
    """A photo (3, H, W) in [-1, 1] as uint8, its short side shrunk to at most ``largest``."""
    scale = largest / min(photo.shape[-2:])
    if scale < 1:
        size = [round(n * scale) for n in photo.shape[-2:]]
        photo = F.interpolate(photo[None], size, mode="bilinear", antialias=True)[0]
    return ((photo + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def split_photos(
    photos: list[torch.Tensor], *, every: int = 40
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(training, validation): each ``every``-th photo is held out; with few photos, one is."""
    if len(photos) < 2:
        raise ValueError(f"photos: got {len(photos)}; training needs at least 2, one is held out")
    held_out = set(range(0, len(photos), every))
    training = [photo for i, photo in enumerate(photos) if i not in held_out]
    return training, [photos[i] for i in sorted(held_out)]

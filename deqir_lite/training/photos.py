"""Training photos: a folder of them, read into memory and split."""

import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

from deqir_lite.images import PHOTO_ENDINGS, load_photo

LARGEST_SHORT_SIDE = 512
"""Larger photos are shrunk to this short side: a thousand camera photos then fit into memory."""


def load_photos(folder: str | Path, minimum: int = 64) -> list[torch.Tensor]:
    """All photos under ``folder`` as uint8 tensors (3, H, W), in the order of their paths.

    A short side above 512 pixels is shrunk to 512, antialiased: crops hardly ever need more.
    Files that cannot be read, and photos with a side below ``minimum`` pixels, are skipped with
    one warning that counts them. Raises FileNotFoundError for a missing folder, ValueError when
    nothing usable is left.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"photos: no folder {root}")
    photos, skipped = [], []
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in PHOTO_ENDINGS):
        try:
            photo = load_photo(path)[0]
        except (OSError, ValueError):
            skipped.append(path.name)
            continue
        if min(photo.shape[-2:]) < minimum:
            skipped.append(path.name)
            continue
        photos.append(_to_bytes(photo, max(minimum, LARGEST_SHORT_SIDE)))
    if skipped:
        warnings.warn(
            f"photos: skipped {len(skipped)} unreadable or tiny files, such as {skipped[0]}",
            stacklevel=2,
        )
    if not photos:
        raise ValueError(f"photos: {root} holds no usable photo of at least {minimum}x{minimum}")
    return photos


def _to_bytes(photo: torch.Tensor, largest: int) -> torch.Tensor:
    """A photo (3, H, W) in [-1, 1] as uint8, its short side shrunk to at most ``largest``."""
    scale = largest / min(photo.shape[-2:])
    if scale < 1:
        size = [round(n * scale) for n in photo.shape[-2:]]
        photo = F.interpolate(photo[None], size, mode="bilinear", antialias=True)[0]
    return ((photo + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def split_photos(
    photos: list[torch.Tensor], every: int = 40
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(training, validation): each ``every``-th photo is held out; with few photos, one is."""
    if len(photos) < 2:
        raise ValueError(f"photos: got {len(photos)}; training needs at least 2, one is held out")
    held_out = set(range(0, len(photos), every))
    training = [photo for i, photo in enumerate(photos) if i not in held_out]
    return training, [photos[i] for i in sorted(held_out)]

"""Training photos: a folder held in memory, and random crops from it at many scales."""

import math
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

from deqir_lite.images import load_photo

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def load_photos(folder: str | Path, minimum: int = 64) -> list[torch.Tensor]:
    """All photos under ``folder`` as uint8 tensors (3, H, W), in the order of their paths.

    Files that cannot be read, and photos with a side below ``minimum`` pixels, are skipped with
    one warning that counts them. Raises FileNotFoundError for a missing folder, ValueError when
    nothing usable is left.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"photos: no folder {root}")
    photos, skipped = [], []
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            photo = load_photo(path)[0]
        except (OSError, ValueError):
            skipped.append(path.name)
            continue
        if min(photo.shape[-2:]) < minimum:
            skipped.append(path.name)
            continue
        photos.append(((photo + 1) * 127.5).round().to(torch.uint8))
    if skipped:
        warnings.warn(
            f"photos: skipped {len(skipped)} unreadable or tiny files, such as {skipped[0]}",
            stacklevel=2,
        )
    if not photos:
        raise ValueError(f"photos: {root} holds no usable photo of at least {minimum}x{minimum}")
    return photos


def split_photos(
    photos: list[torch.Tensor], every: int = 40
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(training, validation): each ``every``-th photo is held out; with few photos, one is."""
    if len(photos) < 2:
        raise ValueError(f"photos: got {len(photos)}; training needs at least 2, one is held out")
    held_out = set(range(0, len(photos), every))
    training = [photo for i, photo in enumerate(photos) if i not in held_out]
    return training, [photos[i] for i in sorted(held_out)]


def random_crop(photo: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """One crop (3, size, size) in [-1, 1]: its side is log-uniform between ``size`` and the photo's
    short side, shrunk with antialiasing, flipped left to right half of the time."""
    height, width = photo.shape[-2:]
    u = torch.rand(4, generator=generator).tolist()
    side = round(size * math.exp(u[0] * math.log(min(height, width) / size)))
    top, left = int(u[1] * (height - side + 1)), int(u[2] * (width - side + 1))
    crop = photo[:, top : top + side, left : left + side].float().div(127.5).sub(1)[None]
    if side != size:
        crop = F.interpolate(crop, (size, size), mode="bilinear", antialias=True)
    return (crop.flip(-1) if u[3] < 0.5 else crop)[0]


def random_crops(
    photos: list[torch.Tensor], batch: int, size: int, generator: torch.Generator
) -> torch.Tensor:
    """A batch of random crops (B, 3, size, size) from photos drawn with replacement."""
    index = torch.randint(len(photos), (batch,), generator=generator).tolist()
    return torch.stack([random_crop(photos[i], size, generator) for i in index])

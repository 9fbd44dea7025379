"""Photos in a folder: what can be read, and how many files cannot."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from deqir_lite.images.photos import PHOTO_ENDINGS, SMALLEST_SIDE, load_photo


def read_photos(
    folder: str | Path, *, deep: bool = False, minimum: int = SMALLEST_SIDE
) -> Iterator[tuple[Path, torch.Tensor]]:
    """Each photo (1, 3, H, W) of a folder, with ``deep`` also of its subfolders, by their paths.

    Files that cannot be read, and photos with a side below ``minimum`` pixels, are skipped with
    one warning that counts them. Raises FileNotFoundError for a missing folder, ValueError when
    nothing usable is left.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"photos: no folder {str(root)!r}")
    skipped: list[str] = []
    usable = 0
    for path in sorted(root.rglob("*") if deep else root.iterdir()):
        if path.suffix.lower() not in PHOTO_ENDINGS:
            continue
        try:
            photo = load_photo(path)
        except (OSError, ValueError):
            skipped.append(path.name)
            continue
        if min(photo.shape[-2:]) < minimum:
            skipped.append(path.name)
            continue
        usable += 1
        yield path, photo
    if skipped:
        warnings.warn(
            f"photos: skipped {len(skipped)} unreadable or tiny files, such as {skipped[0]}",
            stacklevel=2,
        )
    if not usable:
        raise ValueError(
            f"photos: {str(root)!r} holds no usable photo of at least {minimum}x{minimum} pixels "
            f"({', '.join(PHOTO_ENDINGS)})"
        )

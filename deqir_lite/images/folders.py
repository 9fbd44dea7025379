"""Photos in a folder: what can be read, and how many files cannot."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from deqir_lite.images.photos import PHOTO_ENDINGS, SMALLEST_SIDE, load_photo


def read_photos(
    folder: str | Path, *, minimum: int = SMALLEST_SIDE, without: Path | None = None
) -> Iterator[tuple[Path, torch.Tensor]]:
    """Each photo (1, 3, H, W) of a folder and its subfolders, by their paths.

    Files that cannot be read, and photos with a side below ``minimum`` pixels, are skipped with
    one warning that counts them; hidden folders, and the folder ``without``, which gets results,
    are not looked into. Raises FileNotFoundError for a missing folder, ValueError when nothing
    usable is left.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"photos: no folder {str(root)!r}")
    skipped: list[str] = []
    usable = 0
    for path in sorted(_files(root, None if without is None else without.resolve())):
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


def _files(root: Path, without: Path | None) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(folder, name).resolve() != without
        ]
        yield from (Path(folder, name) for name in files)

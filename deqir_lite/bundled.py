"""Find the data that comes with the book: photos, masks and priors, and the chapters themselves.

In a source checkout they lie in the top-level folders data/ and book/, in an installed wheel in
deqir_lite/_data/; nothing else needs to know which.
"""

from pathlib import Path

import torch

from deqir_lite.checks import check_choice
from deqir_lite.images import PHOTO_ENDINGS, load_photo


def data_root() -> Path:
    """The folder that holds the bundled data; FileNotFoundError when there is none."""
    return _shipped("bundled data", "_data", "data", "photos")


def book_folder() -> Path:
    """The folder with the sources of the book; FileNotFoundError when there is none."""
    return _shipped("book", "_data/book", "book", "00-index.ipynb")


def _shipped(what: str, installed: str, checkout: str, content: str) -> Path:
    package = Path(__file__).resolve().parent
    # The wheel's own folder first: beside an installed package, data/ may be anybody's.
    folders = package / installed, package.parent / checkout
    for folder in folders:
        if (folder / content).exists():
            return folder
    raise FileNotFoundError(
        f"{what}: neither {folders[0]} nor {folders[1]} holds {content}; "
        "reinstall the package or run from a source checkout"
    )


def data_path(name: str) -> Path:
    """Return the bundled folder ``name``, for example "photos"; ValueError lists the known ones."""
    root = data_root()
    known = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] not in "._")
    check_choice("name", name, known)
    return root / name


def _pictures(folder: str) -> dict[str, Path]:
    return {p.stem: p for p in sorted(data_path(folder).iterdir()) if p.suffix in PHOTO_ENDINGS}


def photo_names() -> list[str]:
    """Return the names of the bundled photos, in alphabetical order."""
    return list(_pictures("photos"))


def photo_path(name: str) -> Path:
    """Return the file of the bundled photo ``name``; ValueError lists the known ones."""
    photos = _pictures("photos")
    check_choice("name", name, photos)
    return photos[name]


def mask_names() -> list[str]:
    """Return the names of the bundled masks, in alphabetical order."""
    return list(_pictures("masks"))


def mask_path(name: str) -> Path:
    """Return the file of the bundled mask ``name``; ValueError lists the known ones."""
    masks = _pictures("masks")
    check_choice("name", name, masks)
    return masks[name]


def load_bundled_photo(
    name: str,
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Read the bundled photo ``name`` as (1, 3, H, W) in [-1, 1]; the rest as in ``load_photo``."""
    return load_photo(photo_path(name), size=size, dtype=dtype, device=device)


def _priors() -> dict[str, Path]:
    folder = data_root() / "priors"
    return {p.parent.name: p.parent for p in sorted(folder.glob("*/config.json"))}


def prior_names() -> list[str]:
    """Return the names of the bundled priors: folders of data/priors with a config.json."""
    return list(_priors())


def prior_path(name: str) -> Path:
    """Return the folder of the bundled prior ``name``; ValueError lists the known ones."""
    priors = _priors()
    check_choice("name", name, priors)
    return priors[name]

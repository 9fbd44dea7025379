"""Make the bundled photos again from those that ship inside scikit-image.

Run from anywhere, with scikit-image and Pillow installed; nothing is downloaded:

    python data/photos/make_photos.py

Each photo is cut to its largest centred square and reduced (Lanczos) to the size below.
The licences are in README.md, beside this file.
"""

import sys
from pathlib import Path

import skimage.data
from PIL import Image

# Our name: (name in skimage.data, pixels a side). Detail decides the size, not the subject:
# 384 = 3 * 128 pixels where the source has them, less where it is small or the picture is noise.
PHOTOS = {
    "astronaut": ("astronaut", 384),
    "brick": ("brick", 320),
    "camera": ("camera", 384),
    "cat": ("chelsea", 288),
    "cell": ("cell", 320),
    "coffee": ("coffee", 384),
    "galaxies": ("hubble_deep_field", 384),
    "grass": ("grass", 256),
    "gravel": ("gravel", 320),
    "retina": ("retina", 384),
}


def centre_square(photo: Image.Image) -> Image.Image:
    """Cut the largest centred square."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))


def make(folder: Path) -> None:
    """Write every photo as an optimised PNG into ``folder``."""
    for name, (source, size) in PHOTOS.items():
        square = centre_square(Image.fromarray(getattr(skimage.data, source)()))
        photo = square.resize((size, size), Image.Resampling.LANCZOS)
        photo.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

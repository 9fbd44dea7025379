"""Make the bundled masks again: black-and-white pictures drawn by deqir_lite itself.

python data/masks/make_masks.py
"""

import sys
from pathlib import Path

from PIL import Image

from deqir_lite.operators.masks import box_mask, scratch_mask, stripe_mask, text_mask

SIZE = (256, 256)
MASKS = {"box": box_mask, "scratch": scratch_mask, "stripe": stripe_mask, "text": text_mask}


def make(folder: Path) -> None:
    """Write every mask as a PNG of one bit into ``folder``: white is kept, black is lost."""
    for name, draw in MASKS.items():
        kept = draw(SIZE, seed=0).bool().numpy()
        Image.fromarray(kept).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

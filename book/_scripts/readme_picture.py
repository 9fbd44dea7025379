"""Make the README's picture: one photo restored step by step and all at once.

python book/_scripts/readme_picture.py
"""

from pathlib import Path

import deqir_lite as dl
from deqir_lite.images import side_by_side

PICTURE = Path(__file__).resolve().parents[1] / "_assets" / "readme.png"
SIZE = 128


def main() -> None:
    """Restore the photo both ways and write the picture."""
    photo = dl.load_bundled_photo("cat", SIZE)
    operator = dl.make_task("inpaint-random", (SIZE, SIZE))
    y = operator.A(photo)
    chain = dl.make_chain(dl.load_prior("photo64"), operator, y, num_steps=20, eta=0.85)
    step_by_step = dl.restore_sequential(chain)
    at_once = dl.restore_parallel(chain)
    pictures = [operator.pinv(y), step_by_step.x0, at_once.x0, photo]
    labels = [
        "half of the pixels",
        f"step by step: {step_by_step.sweeps} network calls",
        f"all at once: {at_once.sweeps} batched calls",
        "photo",
    ]
    dl.save_image(PICTURE, side_by_side(pictures, labels, height=2 * SIZE))


if __name__ == "__main__":
    main()

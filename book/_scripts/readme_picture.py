"""Make the README's picture: one photo, two tasks, the answers side by side.

python book/_scripts/readme_picture.py
"""

from pathlib import Path

import torch
from PIL import Image

import deqir_lite as dl
from deqir_lite.baselines import simple_answer
from deqir_lite.images import side_by_side
from deqir_lite.operators.masks import text_mask
from deqir_lite.priors.base import Prior

PICTURE = Path(__file__).resolve().parents[1] / "_assets" / "readme.png"
PHOTO, SIZE, SAMPLES = "coffee", 256, 4
SMALL_TEXT = text_mask((SIZE // 2, SIZE // 2)).tile(2, 2)
TASKS = (("inpaint-text", SMALL_TEXT), ("sr4", None))


def row(task: str, mask: torch.Tensor | None, photo: torch.Tensor, prior: Prior) -> Image.Image:
    """Measured, the simple answer, one restoration both ways, the mean of four, the photo."""
    operator = dl.make_task(task, (SIZE, SIZE), mask=mask)
    y = operator.A(photo)
    chain = dl.make_chain(prior, operator, y)
    step_by_step = dl.restore_sequential(chain)
    at_once = dl.restore_parallel(chain)
    others = dl.make_chain(prior, operator, y, seed=1, samples=SAMPLES - 1)
    samples = torch.cat([step_by_step.x0, dl.restore_sequential(others).x0])
    name, simple = simple_answer(operator, y)
    answers = {
        name: simple,
        f"step by step, {step_by_step.sweeps} steps": step_by_step.x0,
        f"all at once, {at_once.sweeps} sweeps": at_once.x0,
        f"mean of {SAMPLES}": samples.mean(0, keepdim=True),
    }
    labels = [f"{label}: {dl.psnr(x, photo).item():.1f} dB" for label, x in answers.items()]
    return side_by_side([y, *answers.values(), photo], ["measured", *labels, "photo"], height=SIZE)


def main() -> None:
    """Restore the photo for both tasks and write the picture."""
    photo, prior = dl.load_bundled_photo(PHOTO, size=SIZE), dl.load_prior("photo64")
    rows = [row(task, mask, photo, prior) for task, mask in TASKS]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    top = 0
    for part in rows:
        sheet.paste(part, (0, top))
        top += part.height
    dl.save_image(PICTURE, sheet)


if __name__ == "__main__":
    main()

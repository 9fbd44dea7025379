"""Make the README's picture: one photo, two tasks, the answers side by side.

python book/_scripts/readme_picture.py
"""

from pathlib import Path

import torch
from PIL import Image

import deqir_lite as dl
from deqir_lite.images import side_by_side
from deqir_lite.operators.masks import text_mask
from deqir_lite.priors.base import Prior
from deqir_lite.restoration import pose_problem, restore_problem

PICTURE = Path(__file__).resolve().parents[1] / "_assets" / "readme.png"
PHOTO, SIZE, SAMPLES = "coffee", 256, 4
SMALL_TEXT = text_mask((SIZE // 2, SIZE // 2)).tile(2, 2)
TASKS = (("inpaint-text", SMALL_TEXT), ("sr4", None))


def row(task: str, mask: torch.Tensor | None, photo: torch.Tensor, prior: Prior) -> Image.Image:
    """Measured, the simple answer, one restoration both ways, the mean of four, the photo."""
    problem = pose_problem(photo, task, mask=mask)
    by_step = restore_problem(problem, prior, sampler="sequential")
    at_once = restore_problem(problem, prior, sampler="parallel")
    others = restore_problem(problem, prior, seed=1, samples=SAMPLES - 1, sampler="sequential")
    samples = torch.cat([by_step.samples, others.samples])
    name, simple = by_step.simple
    answers = {
        name: simple,
        f"step by step, {by_step.solution.sweeps} steps": by_step.restored,
        f"all at once, {at_once.solution.sweeps} sweeps": at_once.restored,
        f"mean of {SAMPLES}": samples.mean(0, keepdim=True),
    }
    labels = [f"{label}: {dl.psnr(x, photo).item():.1f} dB" for label, x in answers.items()]
    pictures = [problem.y, *answers.values(), photo]
    return side_by_side(pictures, ["measured", *labels, "photo"], height=SIZE)


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

"""The figure: for each task one photo, what was measured, the baseline, one sample and the mean."""

import io

from PIL import Image

from deqir_lite.baselines import baseline_of
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import MASK_SEED, Setting
from deqir_lite.evaluation.summary import first_stage, summarise
from deqir_lite.operators import make_task
from deqir_lite.viz import show_images

_COLOURS = 128


def evaluation_figure(results: Results, pictures: Pictures) -> bytes | None:
    """A PNG with a row of five images for each task, or None when no image was kept.

    All rows are of one size and chain length, the most important one that was run, and of the
    eta that the table reports. Reduced to 128 colours, which keeps the file small.
    """
    shown = _shown(results, pictures)
    if not shown:
        return None
    images, titles = [], []
    for setting, seeds in shown.items():
        images += list(pictures.rows[setting])
        titles += _titles(setting, seeds)
    size = next(iter(shown)).size
    png = show_images(images, titles=titles, ncols=5, scale=max(1, 128 // size))._repr_png_()
    smaller = Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS)
    encoded = io.BytesIO()
    smaller.save(encoded, format="PNG", optimize=True)
    return encoded.getvalue()


def _shown(results: Results, pictures: Pictures) -> dict[Setting, int]:
    """The rows of the figure, and how many seeds their means have."""
    if not pictures.rows:
        return {}
    stage = first_stage(pictures.rows)
    chosen = {
        Setting(line.task, line.size, line.timesteps, line.eta): line.seeds
        for line in summarise(results)
        if (line.size, line.timesteps) == stage and line.eta is not None
    }
    return {setting: seeds for setting, seeds in chosen.items() if setting in pictures.rows}


def _titles(setting: Setting, seeds: int) -> list[str]:
    operator = make_task(setting.task, (64, 64), seed=MASK_SEED)
    name = baseline_of(operator).name
    return [setting.task, "A⁺y", name, "one sample", f"mean of {seeds}"]

"""Figures as pictures: frames for a slider."""

import io

from PIL import Image

from deqir_lite.viz.style import BookFigure


def figure_picture(figure: BookFigure) -> Image.Image:
    """Return the figure as an RGB image, pixel for pixel as a notebook shows it.

    :class:`IterationSlider` takes a list of such images as its frames (with ``scale=1``).
    """
    with Image.open(io.BytesIO(figure._repr_png_())) as picture:
        return picture.convert("RGB")

"""Pictures that the chapters are made of."""

from deqir_lite.viz.convergence import plot_convergence
from deqir_lite.viz.gallery import show_images
from deqir_lite.viz.heatmap import staircase
from deqir_lite.viz.slider import IterationSlider
from deqir_lite.viz.style import COLORS, BookFigure, book_style, new_figure

__all__ = [
    "COLORS",
    "BookFigure",
    "IterationSlider",
    "book_style",
    "new_figure",
    "plot_convergence",
    "show_images",
    "staircase",
]

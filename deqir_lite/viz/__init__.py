"""Pictures that the chapters are made of."""

try:
    import ipywidgets  # noqa: F401
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"deqir_lite.viz needs the packages matplotlib and ipywidgets ({error}): "
        "pip install 'deqir-lite[viz]'"
    ) from None

from deqir_lite.viz.bars import plot_bars
from deqir_lite.viz.blocks import plot_blocks
from deqir_lite.viz.convergence import plot_convergence
from deqir_lite.viz.densities import plot_density_flow, plot_samples
from deqir_lite.viz.diagrams import plot_equilibrium, plot_method
from deqir_lite.viz.explorer import RestorationExplorer, explore_restoration, show_restoration
from deqir_lite.viz.filling import SweepStaircase
from deqir_lite.viz.gallery import show_images
from deqir_lite.viz.heatmap import staircase
from deqir_lite.viz.landscape import plot_landscape
from deqir_lite.viz.lines import plot_lines
from deqir_lite.viz.noise import plot_noise
from deqir_lite.viz.paths import plot_paths
from deqir_lite.viz.plane import plot_solution_line
from deqir_lite.viz.race import SweepRace
from deqir_lite.viz.score_field import plot_score_field
from deqir_lite.viz.slider import IterationSlider
from deqir_lite.viz.spectra import plot_singular_values
from deqir_lite.viz.style import COLORS, BookFigure, book_style, figure_picture, new_figure
from deqir_lite.viz.trajectory import plot_trajectory

__all__ = [
    "COLORS",
    "BookFigure",
    "IterationSlider",
    "RestorationExplorer",
    "SweepRace",
    "SweepStaircase",
    "book_style",
    "explore_restoration",
    "figure_picture",
    "new_figure",
    "plot_bars",
    "plot_blocks",
    "plot_convergence",
    "plot_density_flow",
    "plot_equilibrium",
    "plot_landscape",
    "plot_lines",
    "plot_method",
    "plot_noise",
    "plot_paths",
    "plot_samples",
    "plot_score_field",
    "plot_singular_values",
    "plot_solution_line",
    "plot_trajectory",
    "show_images",
    "show_restoration",
    "staircase",
]

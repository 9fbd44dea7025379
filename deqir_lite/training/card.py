"""The model card: where a prior comes from, how good it is, and what it is not good for."""

from pathlib import Path
from typing import Any

from deqir_lite._documents import render
from deqir_lite._files import write_atomically
from deqir_lite._json import read_schema
from deqir_lite.priors.files import CARD_FILE, COMPARISON_FILE, LOG_FILE, PAGE_FILE, RESULTS_FILE
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.schemas import Comparison, Judged, TrainingLog


def write_card(folder: str | Path) -> Path:
    """Write README.md from the files of a trained prior: log, comparison, evaluation.

    Raises FileNotFoundError or ValueError when there is no log, or a file that cannot be read.
    """
    root = Path(folder)
    log = read_schema(root / LOG_FILE, TrainingLog, name="folder")
    comparison = None
    if (root / COMPARISON_FILE).exists():
        content = read_schema(root / COMPARISON_FILE, Comparison, name="folder")
        try:
            comparison = recipes_compared(content.model_dump())
        except ValueError as error:
            raise ValueError(f"folder: {root / COMPARISON_FILE}: {error}") from error
    card = render(
        "training/card.md.j2",
        **log.model_dump(exclude_unset=True),
        last=log.history[-1],
        scores=log.history[-1].psnr,
        evaluation=_evaluation(root),
        comparison=comparison,
    )
    return write_atomically(root / CARD_FILE, card.encode(), name="folder")


def recipes_compared(comparison: dict[str, Any]) -> str:
    """What ``deqir-lite study recipes`` has found, as a table with what it shows; ValueError for
    a comparison of nothing, or of scores at different timesteps."""
    if not comparison["recipes"]:
        raise ValueError("recipes: got none; expected at least one")
    levels = {name: list(_levels(row)) for name, row in comparison["recipes"].items()}
    first, *others = levels
    for name in others:
        if set(levels[name]) != set(levels[first]):
            raise ValueError(f"recipes.{name}: expected PSNR at the timesteps of {first}")
    return render("training/comparison.md.j2", **comparison, levels=levels[first])


def _levels(row: dict[str, Any]) -> list[str]:
    return [key.removeprefix("psnr_t") for key in row if key.startswith("psnr_t")]


def _evaluation(root: Path) -> str | None:
    """The evaluation in the folder, "" when it is not known to be one of the weights there."""
    if not (root / PAGE_FILE).is_file():
        return None
    try:
        measured = read_schema(root / RESULTS_FILE, Judged, name="folder").settings.prior
        here = prior_digest(ResidualPrior.load(root), str(root))
    except (FileNotFoundError, ValueError):  # also a log without its prior
        return ""
    return (root / PAGE_FILE).read_text(encoding="utf-8") if measured == here else ""

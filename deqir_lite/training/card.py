"""The model card: where a prior comes from, how good it is, and what it is not good for."""

from pathlib import Path
from typing import Any

from deqir_lite._documents import render
from deqir_lite._files import write_atomically
from deqir_lite._json import read_object
from deqir_lite.priors.files import CARD_FILE, COMPARISON_FILE, LOG_FILE, PAGE_FILE, RESULTS_FILE
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.checkpoint import naming


def write_card(folder: str | Path) -> Path:
    """Write README.md from the files of a trained prior: log, comparison, evaluation.

    Raises FileNotFoundError or ValueError when there is no log, or a file that cannot be read.
    """
    root = Path(folder)
    log = read_object(root / LOG_FILE, name="folder")
    comparison = None
    if (root / COMPARISON_FILE).is_file():
        content = read_object(root / COMPARISON_FILE, name="folder")
        with naming(root / COMPARISON_FILE, "comparison of recipes"):
            comparison = recipes_compared(content)
    with naming(root / LOG_FILE, "log of this trainer"):
        last = log["history"][-1]
        card = render(
            "training/card.md.j2",
            **log,
            last=last,
            scores=_scores(last),
            evaluation=_evaluation(root),
            comparison=comparison,
        )
    return write_atomically(root / CARD_FILE, card.encode())


def recipes_compared(comparison: dict[str, Any]) -> str:
    """What ``deqir-lite study recipes`` has found, as a table with what it shows; ValueError for
    a comparison of nothing."""
    if not comparison["recipes"]:
        raise ValueError("recipes: got none; expected at least one")
    scores = [_scores(row) for row in comparison["recipes"].values()]
    return render("training/comparison.md.j2", **comparison, levels=list(scores[0]))


def _scores(entry: dict[str, Any]) -> dict[str, float]:
    """PSNR by timestep."""
    return {k.removeprefix("psnr_t"): v for k, v in entry.items() if k.startswith("psnr_t")}


def _evaluation(root: Path) -> str | None:
    """The evaluation in the folder, "" when it is not known to be one of the weights there."""
    if not (root / PAGE_FILE).is_file():
        return None
    try:
        measured = read_object(root / RESULTS_FILE, name="folder")["settings"]["prior"]
        here = prior_digest(ResidualPrior.load(root), str(root))
    except (FileNotFoundError, KeyError, TypeError, ValueError):  # also a log without its prior
        return ""
    return (root / PAGE_FILE).read_text(encoding="utf-8") if measured == here else ""

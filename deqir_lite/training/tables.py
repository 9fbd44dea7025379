"""Tables of the model card, in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COMPARISON_FILE = "comparison.json"
"""What a comparison of recipes is called in the folder of a prior."""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with one line per row; the first column is to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def comparison_table(recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows of a comparison: name -> parameters, steps, loss, psnr_t20, psnr_t100, ..."""
    if not recipes:
        raise ValueError("recipes: got none; expected at least one")
    levels = [key for key in next(iter(recipes.values())) if key.startswith("psnr_t")]
    header = ["recipe", "parameters", "steps", "loss", *(f"t = {key[6:]}" for key in levels)]
    return markdown_table(
        header,
        [
            [
                name,
                f"{row['params'] / 1e6:.1f} M",
                f"{row['steps']:,}",
                f"{row['loss']:.4f}",
                *(f"{row[key]:.2f}" for key in levels),
            ]
            for name, row in recipes.items()
        ],
    )


def comparison_summary(recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """The recipe of the lowest loss, and the best one at each level, in words."""
    winner = min(recipes, key=lambda name: recipes[name]["loss"])
    best: dict[str, list[str]] = {}
    for key in recipes[winner]:
        if key.startswith("psnr_t"):
            name = max(recipes, key=lambda name: recipes[name][key])
            best.setdefault(name, []).append(key.removeprefix("psnr_t"))
    levels = "; ".join(f"{name} at t = {', '.join(found)}" for name, found in best.items())
    return f"The lowest loss has: {winner}. The best denoiser is: {levels}."

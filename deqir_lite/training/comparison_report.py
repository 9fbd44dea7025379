"""What a comparison of recipes shows: in a table, and in words."""

from collections.abc import Mapping
from typing import Any

from deqir_lite._markdown import markdown_table
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.variants import change_in_words

COMPARISON_FILE = "comparison.json"
"""What a comparison of recipes is called in the folder of a prior."""

Rows = Mapping[str, Mapping[str, Any]]
"""The rows of a comparison by the name of the recipe."""


def comparison_table(recipes: Rows) -> str:
    """The rows of a comparison: name -> change, params, steps, crops, loss, psnr_t20, ...

    A row without ``change`` gets the one of the recipe of its name, if there is one.
    """
    if not recipes:
        raise ValueError("recipes: got none; expected at least one")
    levels = _levels(next(iter(recipes.values())))
    numbers = ["parameters", "steps", "crops", "loss", *(f"t = {t}" for t in levels)]
    return markdown_table(
        ["recipe", "change", *numbers],
        [
            [
                name,
                row.get("change", change_in_words(name)),
                f"{row['params'] / 1e6:.1f} M",
                f"{row['steps']:,}",
                f"{row['crops']:,}",
                f"{row['loss']:.4f}",
                *(f"{row[f'psnr_t{t}']:.2f}" for t in levels),
            ]
            for name, row in recipes.items()
        ],
        texts=2,
    )


def comparison_summary(recipes: Rows) -> str:
    """Paragraphs: the best recipes; what each change does to "base"; which rows are short."""
    paragraphs = [_winners(recipes), " ".join(_findings(recipes)), " ".join(_unfinished(recipes))]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _levels(row: Mapping[str, Any]) -> list[str]:
    return [key.removeprefix("psnr_t") for key in row if key.startswith("psnr_t")]


def _winners(recipes: Rows) -> str:
    winner = min(recipes, key=lambda name: recipes[name]["loss"])
    best: dict[str, list[str]] = {}
    for level in _levels(recipes[winner]):
        name = max(recipes, key=lambda name: recipes[name][f"psnr_t{level}"])
        best.setdefault(name, []).append(level)
    denoisers = "; ".join(f"{name} at t = {', '.join(found)}" for name, found in best.items())
    return f"{winner} has the lowest loss. The best denoiser is: {denoisers}."


_QUESTIONS = (
    {"wide": "With a wider network the loss is", "deep": "With a deeper network the loss is"},
    {"full resolution": "Without pixel-unshuffle the loss is"},
    {"large batch": "With a larger batch the loss is"},
    {"low rate": "With half of Muon's rate the loss is", "high rate": "With twice the rate it is"},
    {"half uniform": "With half of the timesteps drawn uniformly the loss is"},
    {"large crops": "With larger crops in the decay the loss is"},
)
"""What the comparison asks: for each question, the recipes that answer it beside "base"."""


def _findings(recipes: Rows) -> list[str]:
    """One sentence per question."""
    base, sentences = recipes.get("base"), []
    if base is None:
        return []
    for question in _QUESTIONS:
        clauses = [
            f"{opening} {_difference(recipes[name]['loss'] - base['loss'])} after the same time "
            f"({recipes[name]['steps']:,} steps instead of {base['steps']:,})"
            for name, opening in question.items()
            if name in recipes
        ]
        clauses[1:] = [clause[0].lower() + clause[1:] for clause in clauses[1:]]
        if clauses:
            sentences.append("; ".join(clauses) + ".")
    return sentences


def _difference(loss: float) -> str:
    size = f"{abs(loss):.3f}"
    if size == "0.000":
        return "the same to three digits"
    return f"{size} {'higher' if loss > 0 else 'lower'}"


def _unfinished(recipes: Rows) -> list[str]:
    """Which rows never reached the peak of the learning rate."""
    short: dict[int, list[str]] = {}
    for name, row in recipes.items():
        warmup = row.get("warmup", Recipe().warmup)
        if row["steps"] < warmup:
            short.setdefault(warmup, []).append(name)
    sentences = [
        f"Ended within the warm-up of {warmup} steps: {', '.join(names)}."
        for warmup, names in short.items()
    ]
    return [*sentences, "A longer comparison may rank them otherwise."] if sentences else []

"""The recipes that are compared: what each of them changes in the default one."""

from typing import Any

from deqir_lite.training.recipe import Recipe

CHANGES: dict[str, dict[str, Any]] = {
    "base": {},
    "uniform timesteps": {"low_noise": 0.0},
    "epsilon weighting": {"weighting": "epsilon"},
    "full resolution": {"patch": 1, "channels": (32, 64, 128, 144, 160)},
    "wide and shallow": {"channels": (96, 128, 192)},
    "deep and narrow": {"layers_per_block": 2, "channels": (48, 96, 112, 128)},
    "dead leaves only": {"dead_leaves": 1.0},
}
"""Name -> fields of the recipe; ``dead_leaves`` is that of the training data."""


def recipe_changes(name: str) -> dict[str, Any]:
    """What ``name`` changes in the recipe itself."""
    return {key: value for key, value in CHANGES[name].items() if key != "dead_leaves"}


def dead_leaves_share(name: str) -> float:
    """The share of its crops that comes from dead-leaves pictures; 0 for an unknown name."""
    return float(CHANGES.get(name, {}).get("dead_leaves", 0.0))


def change_in_words(name: str) -> str:
    """What ``name`` changes, such as "no pixel-unshuffle, one level more"; "" if unknown."""
    if name not in CHANGES:
        return ""
    return ", ".join(_words(key, value) for key, value in CHANGES[name].items()) or "none"


def _words(key: str, value: Any) -> str:
    if key == "low_noise":
        return f"{value:.0%} of the timesteps towards low noise" if value else "timesteps uniform"
    if key == "weighting":
        return {"v": "loss of v", "epsilon": "loss of the noise"}[value]
    if key == "patch":
        return "no pixel-unshuffle" if value == 1 else f"pixel-unshuffle by {value}"
    if key == "layers_per_block":
        return f"{value} layers per block"
    if key == "dead_leaves":
        return "dead leaves, no photos" if value == 1 else f"{value:.0%} dead leaves"
    if key == "channels":
        usual = Recipe().channels
        one_more = len(value) == len(usual) + 1 and value[1:] == usual
        return "one level more" if one_more else f"channels {', '.join(map(str, value))}"
    raise ValueError(f"changes: no words for {key!r}")

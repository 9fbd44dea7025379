"""The recipes that are compared: what each of them changes in the default one."""

from typing import Any

CHANGES: dict[str, dict[str, Any]] = {
    "base": {},
    "wide": {"channels": (64, 128, 144, 160)},
    "deep": {"blocks": 3, "channels": (48, 96, 112, 160)},
    "full resolution": {"patch": 1, "channels": (16, 48, 96, 128, 224)},
    "large batch": {"batch": 64, "muon_lr": 4e-3},
    "low rate": {"muon_lr": 1.5e-3},
    "high rate": {"muon_lr": 6e-3},
    "half uniform": {"low_noise": 0.5},
    "large crops": {"final_crop": 96},
}
"""Name -> fields of the recipe."""


def change_in_words(name: str) -> str:
    """What ``name`` changes, such as "batch 64, Muon's rate 0.004"; "" if unknown."""
    if name not in CHANGES:
        return ""
    return ", ".join(_words(key, value) for key, value in CHANGES[name].items()) or "none"


_WORDS = {
    "channels": "channels {}",
    "blocks": "{} blocks per level",
    "patch": "pixel-unshuffle by {}",
    "batch": "batch {}",
    "muon_lr": "Muon's rate {:g}",
    "low_noise": "{:.0%} of the timesteps towards low noise",
    "final_crop": "crops of {0} x {0} pixels in the decay",
}
"""What a change of a field is called in the table."""


def _words(key: str, value: Any) -> str:
    if key == "channels":
        value = ", ".join(map(str, value))
    if key == "patch" and value == 1:
        return "no pixel-unshuffle"
    return _WORDS[key].format(value)

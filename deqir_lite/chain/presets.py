"""Named settings of a chain."""

from typing import NotRequired, TypedDict


class ChainSettings(TypedDict):
    """What decides a chain beside photo, prior and seed; arguments of :func:`make_chain`.

    ``eta`` is for methods whose noise rule has a share of fresh noise.
    """

    num_steps: int
    eta: NotRequired[float]
    spacing: str | float


PICTURE: ChainSettings = {"num_steps": 20, "eta": 1.0, "spacing": "cubic"}
"""The defaults: they restore best."""

PAPER: ChainSettings = {"num_steps": 20, "eta": 0.15, "spacing": "uniform"}
"""The paper's settings: T = 20, uniform steps, little fresh noise (Sec. 5.1)."""

PRESETS: dict[str, ChainSettings] = {"picture": PICTURE, "paper": PAPER}

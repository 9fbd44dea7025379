"""What restores best, by the kind of degradation: the method, and how long its chain is."""

from typing import NamedTuple

from deqir_lite.chain import PICTURE, PRESETS, ChainSettings
from deqir_lite.checks import check_choice
from deqir_lite.methods import Method
from deqir_lite.operators import (
    Inpainting,
    LinearOperator,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    WalshHadamard,
)
from deqir_lite.restoration.problem import Problem

AUTO = "auto"
"""Leave the method to :func:`choose`."""

WEIGHTED: ChainSettings = {"num_steps": 10, "eta": 1.0, "spacing": "cubic"}
"""The chain of the weighted step: half as long as that of the others."""

_SCATTERED: tuple[type[LinearOperator], ...] = (
    Inpainting,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    WalshHadamard,
)


class Choice(NamedTuple):
    """A ``method`` as :func:`make_chain` takes it, and the ``settings`` of its chain."""

    method: str | Method
    settings: ChainSettings


def choose(
    problem: Problem,
    *,
    method: str | Method = AUTO,
    preset: str | None = None,
    num_steps: int | None = None,
    eta: float | None = None,
    spacing: str | float | None = None,
) -> Choice:
    """The method and the chain for ``problem``; what is given stays as it is.

    * noise in y, masks, old photos, compressed sensing: ``weighted``, T = 10,
    * super-resolution, pooling, blur, grey and all others, without noise: ``ddnm``, T = 20,

    both with fresh noise (eta = 1) on cubic timesteps. It is what the study in
    data/benchmarks/weighted.json shows best. A ``preset`` (a name of ``PRESETS``) has a chain of
    its own, that of the paper its method too.
    """
    if preset is not None:
        check_choice("preset", preset, PRESETS)
    if method == AUTO:
        suits = isinstance(problem.operator, _SCATTERED) or bool(problem.levels.any())
        method = "weighted" if suits and preset != "paper" else "ddnm"
    chain = PRESETS[preset] if preset else (WEIGHTED if method == "weighted" else PICTURE)
    return Choice(
        method,
        {
            "num_steps": chain["num_steps"] if num_steps is None else num_steps,
            "eta": chain["eta"] if eta is None else eta,
            "spacing": chain["spacing"] if spacing is None else spacing,
        },
    )

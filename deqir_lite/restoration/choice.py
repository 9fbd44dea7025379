"""What restores best, by the kind of degradation."""

from typing import NamedTuple

from deqir_lite.chain import PRESETS, ChainSettings
from deqir_lite.checks import check_choice, check_kinds, plain
from deqir_lite.defaults import METHOD
from deqir_lite.methods import Method
from deqir_lite.operators import (
    DamagedPhoto,
    Inpainting,
    LinearOperator,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    WalshHadamard,
)
from deqir_lite.restoration.problem import Problem

_SCATTERED: tuple[type[LinearOperator], ...] = (
    DamagedPhoto,
    Inpainting,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    WalshHadamard,
)


SAMPLERS = ("parallel", "sequential")
"""All timesteps at once, or one after the other."""


class Choice(NamedTuple):
    """A ``method`` as :func:`make_chain` takes it, and the ``settings`` of its chain."""

    method: str | Method
    settings: ChainSettings


def choose(
    problem: Problem,
    *,
    method: str | Method = METHOD,
    preset: str | None = None,
    num_steps: int | None = None,
    eta: float | None = None,
    spacing: str | float | None = None,
) -> Choice:
    """The method and the chain for ``problem``; what is given stays as it is.

    * noise in y, masks, old photos, several kinds of damage, compressed sensing: ``weighted``,
    * super-resolution, pooling, blur, grey and all others, without noise: ``ddnm``,

    both with the chain :data:`PICTURE`. So the study in data/benchmarks/weighted.json has it (old
    photos, which it leaves out, are taken for masks); where ``ddnm`` stands, ``weighted`` is as
    good and takes longer. A ``preset`` (a name of ``PRESETS``) has a chain of its own, that of the
    paper its method too.
    """
    check_kinds(choose, locals())
    if preset is not None:
        check_choice("preset", preset, PRESETS)
    if method == METHOD:
        suits = isinstance(problem.operator, _SCATTERED) or bool(problem.levels.any())
        method = "weighted" if suits and preset != "paper" else "ddnm"
    chain = PRESETS[preset or "picture"]
    return Choice(
        method,
        {
            "num_steps": chain["num_steps"] if num_steps is None else plain(num_steps),
            "eta": chain["eta"] if eta is None else plain(eta),
            "spacing": chain["spacing"] if spacing is None else plain(spacing),
        },
    )

"""What restores best, by the kind of degradation."""

from typing import Any, NamedTuple, cast

from deqir_lite.chain import PRESETS, ChainSettings
from deqir_lite.checks import check_choice, check_kinds, plain, shown
from deqir_lite.defaults import METHOD
from deqir_lite.methods import Method, check_returns, find_method
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


SAMPLERS = ("parallel", "sequential", "interpolated")
"""All timesteps at once, one after the other, or a few at once and interpolated in between."""


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
    good and takes longer. Other methods have the chain of their publication. A ``preset`` (a name
    of ``PRESETS``) has a chain of its own, that of the paper its method too. Raises ValueError for
    unknown names, and for an ``eta`` where the noise rule has none.
    """
    check_kinds(choose, locals())
    if preset is not None:
        check_choice("preset", preset, PRESETS)
    if method == METHOD:
        suits = isinstance(problem.operator, _SCATTERED) or bool(problem.levels.any())
        method = "weighted" if suits and preset != "paper" else "ddnm"
    own = find_method(method)
    if own.eta is None and eta is not None:
        raise ValueError(
            f"eta: got {shown(eta)}, but the noise rule of this method is {own.rule!r}, without a "
            "share of fresh noise"
        )
    taken: dict[str, Any] = {"num_steps": own.num_steps, "eta": own.eta, "spacing": own.spacing}
    if preset is not None:
        taken |= dict(PRESETS[preset])
    given = {"num_steps": num_steps, "eta": eta, "spacing": spacing}
    taken |= {name: plain(value) for name, value in given.items() if value is not None}
    if own.eta is None:
        del taken["eta"]
    check_returns(method, taken["num_steps"])
    return Choice(method, cast(ChainSettings, taken))

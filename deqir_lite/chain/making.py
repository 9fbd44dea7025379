"""Fix a chain: its timesteps, its coefficients, A^+ y, and all draws of noise."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch

from deqir_lite.chain.noise import Draws, StepNoise
from deqir_lite.chain.restoration_chain import RestorationChain
from deqir_lite.checks import (
    check_choice,
    check_finite,
    check_integer,
    check_kinds,
    check_like,
    deviations,
    several,
    shown,
)
from deqir_lite.measurement import Measurement
from deqir_lite.methods import (
    ConsistencyStep,
    Method,
    NoiseRule,
    StepCoefficients,
    Weights,
    find_method,
    step_coefficients,
)
from deqir_lite.operators.conversion import as_operator
from deqir_lite.priors.base import Prior
from deqir_lite.schedule import RETURNS_FROM, timestep_grid, with_returns


def make_chain(
    prior: Prior,
    operator: Any,
    y: torch.Tensor,
    *,
    method: str | Method = "ddnm",
    num_steps: int | None = None,
    spacing: str | float | None = None,
    first_timestep: int | None = None,
    timesteps: Sequence[int] | torch.Tensor | None = None,
    returns: tuple[int, int] | None = None,
    returns_from: str | None = None,
    eta: float | None = None,
    rule: NoiseRule | None = None,
    sigma_y: float | Sequence[float] | torch.Tensor = 0.0,
    seed: int | Sequence[int] | torch.Tensor = 0,
    samples: int | None = None,
    x_T: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
    keep_noise: bool = True,
) -> RestorationChain:
    """Fix a chain for measurements ``y`` (B, ...): timesteps, coefficients, A^+ y and all noise.

    The defaults are those of the method: of ``ddnm`` and ``weighted`` what serves the picture, see
    :data:`PICTURE`, of the others what was published; ``**PAPER`` has the settings of the paper.

    * ``operator``: a :class:`LinearOperator`, or what :func:`as_operator` makes one of, such as a
      physics of deepinv, for photos in [-1, 1],
    * ``method``: a name of ``METHODS`` or a :class:`Method`,
    * ``num_steps`` T, ``spacing`` and ``first_timestep``: of the timesteps, see
      :func:`deqir_lite.schedule.grid.timestep_grid`; or all ``timesteps`` (T,) themselves, noisiest
      first, where a rise returns to more noise,
    * ``returns``: (length, repeats) of the time travel along the grid, see
      :func:`deqir_lite.schedule.grid.with_returns`; with 1 repeat there is none,
    * ``returns_from``: "state" (without a network call) or "x0", see
      :func:`deqir_lite.methods.coefficients.step_coefficients`; by default that of the method,
    * ``eta`` in [0, 1]: the share of fresh noise (Prop. 1) in the noise rule of the method;
      ``rule``: any noise rule; by default that of the method,
    * ``sigma_y``: standard deviation of the noise in y, for methods that know it; a number, or one
      for each y,
    * ``seed``: decides x_T and xi; or one seed for each image, which has then the noise that it
      would have alone. The draws are made on the CPU in float64 and then moved to y's device and
      dtype, so that one seed names the same chain everywhere,
    * ``samples`` N: restore every photo N times: y[0] with the seeds ``seed`` .. ``seed`` + N - 1,
      then y[1] with the same seeds, or with those from its own first one,
    * ``x_T`` (B, 3, H, W), ``noise`` (T, B, 3, H, W): the reader's own instead of draws,
    * ``keep_noise``: False draws the same xi whenever a step asks for it, where the rule lets it
      (one draw a step): memory then does not grow with T.

    A chain with ``first_timestep`` begins at sqrt(abar) A^+ y plus noise. Raises ValueError for bad
    arguments, NaN, shapes that the operator refuses, or noise that hides all that y says.
    """
    check_kinds(make_chain, locals())
    check_finite("y", y)
    operator = as_operator(operator, y=y)
    check_choice("dtype of y", y.dtype, (torch.float32, torch.float64))
    if samples is not None:
        samples = check_integer("samples", samples, 1)
        if samples > 1 and getattr(operator, "_batch", 1) > 1:  # they follow one another
            raise ValueError(
                f"samples: got {samples} with a mask for each image; restore one image at a time"
            )
    method = find_method(method)
    if returns_from is not None:
        check_choice("returns_from", returns_from, RETURNS_FROM)
        method = replace(method, returns_from=returns_from)
    rule = _find_rule(method, eta, rule)
    path = _find_timesteps(
        prior.schedule.num_train_timesteps,
        method,
        num_steps,
        spacing,
        first_timestep,
        timesteps,
        returns,
    )
    copies = samples or 1
    measurement = Measurement(
        operator,
        y.repeat_interleave(copies, dim=0),
        sigma_y=deviations("sigma_y", sigma_y, len(y)).repeat_interleave(copies),
    )
    measurement.check_noise()
    coefficients = step_coefficients(
        prior.schedule,
        path,
        rule,
        measurement=measurement,
        returns_from=method.returns_from,
    )
    pinv_y, steps = measurement.pinv_y, len(path)
    consistency = method.consistency(measurement, coefficients, prior)
    if not (all(measurement.exact) or consistency.knows_noise):
        warnings.warn(
            f"sigma_y: {type(consistency).__name__} does not look at it, so noise of "
            f"{float(measurement.sigma_y.max()):g} in y can show in the photo; the methods "
            "'weighted', 'ddnm+' and 'ddrm' know what to do with it",
            stacklevel=2,
        )
    seeds = _seeds(seed, samples, len(pinv_y))
    draws = Draws(seeds, 1 + steps * max(rule.draws, 1), pinv_y)
    first = consistency.start(draws[0], informed=first_timestep is not None)
    fresh: torch.Tensor | StepNoise = StepNoise(draws, range(1, draws.count))
    plain = rule.draws == 1 and type(rule).fresh_noise is NoiseRule.fresh_noise
    if keep_noise or not plain:
        each = fresh[:].view(steps, -1, *pinv_y.shape)
        fresh = each[:, 0] if plain else _fresh_noise(coefficients, consistency, each)
    for name, own in (("x_T", x_T), ("noise", noise)):
        if own is not None:
            check_finite(name, own)
            check_like(name, own, (first if name == "x_T" else fresh).shape, pinv_y)
    return RestorationChain(
        prior,
        measurement,
        method,
        consistency,
        coefficients,
        x_T=first if x_T is None else x_T,
        noise=fresh if noise is None else noise,
    )


def part_of_chain(
    chain: RestorationChain, first: int, last: int, *, x_T: torch.Tensor
) -> RestorationChain:
    """The steps from states[first] to states[last] of a chain as a chain of its own, from
    ``x_T`` (B, 3, H, W) = states[first]. What it draws it keeps."""
    c, steps = chain.coefficients, slice(first, last)
    weights = Weights(*(weight[steps] for weight in c.weights))
    part = StepCoefficients(c.timesteps[steps], c.alpha_bar[first : last + 1], weights, c.rule)
    return replace(
        chain,
        consistency=chain.method.consistency(chain.measurement, part, chain.prior),
        coefficients=part,
        x_T=x_T,
        noise=chain.noise[steps],
    )


def _fresh_noise(
    coefficients: StepCoefficients, consistency: ConsistencyStep, draws: torch.Tensor
) -> torch.Tensor:
    """xi of all steps (T, B, 3, H, W) from their ``draws`` (T, m, B, 3, H, W), m >= 1."""
    c, rule = coefficients, coefficients.rule
    fresh = torch.zeros_like(draws[:, 0])
    if rule.draws:
        fresh = rule.fresh_noise(draws, c.source, c.target, consistency)
    returns = c.returns.reshape(-1, *[1] * (fresh.ndim - 1)).to(fresh.device)
    return torch.where(returns, draws[:, 0], fresh)  # a return adds noise, whatever the rule


def _find_rule(method: Method, eta: float | None, rule: NoiseRule | None) -> NoiseRule:
    if eta is None:
        return rule or method.rule
    if rule is not None:
        raise ValueError(f"eta: got {eta!r} beside a rule; the rule has its own share of noise")
    own: Any = method.rule
    if method.eta is None:
        raise ValueError(
            f"eta: got {eta!r}, but the noise rule of this method is {own!r}, without a "
            "share of fresh noise; rule=DDNMNoise(eta) would replace it"
        )
    return cast(NoiseRule, replace(own, eta=eta))


def _find_timesteps(
    num_train_timesteps: int,
    method: Method,
    num_steps: int | None,
    spacing: str | float | None,
    first_timestep: int | None,
    timesteps: Sequence[int] | torch.Tensor | None,
    returns: tuple[int, int] | None,
) -> torch.Tensor:
    if timesteps is not None:
        if (num_steps, spacing, first_timestep, returns) != (None, None, None, None):
            raise ValueError(
                "timesteps: got them beside num_steps, spacing, first_timestep or returns, which "
                "choose a grid"
            )
        return torch.as_tensor(timesteps, device="cpu")
    grid = timestep_grid(
        method.num_steps if num_steps is None else num_steps,
        num_train_timesteps=num_train_timesteps,
        spacing=method.spacing if spacing is None else spacing,
        first_timestep=first_timestep,
    )
    if returns is None:
        return method.path(grid)
    if not isinstance(returns, (tuple, list)) or len(returns) != 2:
        raise ValueError(f"returns: got {shown(returns)}; expected a pair (length, repeats)")
    length, repeats = returns
    return with_returns(grid, length=length, repeats=repeats, returns_from=method.returns_from)


def _seeds(seed: object, samples: int | None, batch: int) -> list[int]:
    """One seed for all images together, or one for each."""
    seeds, each = several(seed), samples or 1
    if seeds is None:
        first = check_integer("seed", seed, 0)
        if samples is None:
            return [first]
        seeds = [first] * (batch // each)
    if len(seeds) * each != batch:
        raise ValueError(
            f"seed: got {len(seeds)} for a batch of {batch // each}; expected one each"
        )
    firsts = [check_integer("seed", first, 0) for first in seeds]
    return [first + k for first in firsts for k in range(each)]

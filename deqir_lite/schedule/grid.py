"""Timestep grids: which T of the N training timesteps a chain retains."""

import math

import torch

from deqir_lite.checks import check_choice, check_integer, is_number, plain, shown

SPACINGS = {"uniform": 1.0, "quadratic": 2.0, "cubic": 3.0}
"""Exponents p of the power law tau_k ~ (k - 1)^p by name."""

RETURNS_FROM = ("state", "x0")
"""Where a return to more noise begins: at the state x_s, or at the x0^ that led to it."""


def timestep_grid(
    num_steps: int,
    *,
    num_train_timesteps: int = 1000,
    spacing: str | float = "cubic",
    first_timestep: int | None = None,
) -> torch.Tensor:
    """The T retained timesteps tau_T > ... > tau_1, noisiest first, as an int64 tensor (T,).

    tau_k = tau_T ((k - 1) / (T - 1))^p, rounded, and at least one above tau_{k-1}; ``spacing`` is
    the exponent p >= 1, or its name: uniform (1), quadratic (2), cubic (3). The larger p, the
    more steps lie at low noise. tau_T is the last training timestep, N - 1; only the uniform grid,
    which is the one of the paper and of DDNM, counts in whole strides: tau_k = floor(N / T) (k - 1)
    for T > 1. ``first_timestep`` makes tau_T an intermediate timestep ("the proposition can be
    extended to start from the intermediate state", Sec. 4.1).

    Raises ValueError when T is not in 1 .. N (with ``first_timestep``: 1 .. first_timestep + 1),
    or p is below 1.
    """
    num_steps = check_integer("num_steps", num_steps, 1)
    power = spacing_power(spacing)
    if first_timestep is not None:
        first_timestep = check_integer("first_timestep", first_timestep, 0)
        if first_timestep >= num_train_timesteps:
            raise ValueError(
                f"first_timestep: got {first_timestep}; expected one below {num_train_timesteps}"
            )
    last = num_train_timesteps - 1 if first_timestep is None else first_timestep
    if num_steps > last + 1:
        raise ValueError(f"num_steps: got {num_steps}; expected at most {last + 1}")
    if num_steps == 1:
        return torch.tensor([last])
    if first_timestep is None and power == 1:
        last = num_train_timesteps // num_steps * (num_steps - 1)
    index = torch.arange(num_steps)
    grid = (last * (index.double() / (num_steps - 1)).pow(power)).round().long()
    # where the power law repeats timesteps, one after the other
    grid = (grid - index).cummax(0).values + index
    return grid.flip(0)


def with_returns(
    timesteps: torch.Tensor, *, length: int, repeats: int, returns_from: str = "state"
) -> torch.Tensor:
    """The path along the grid ``timesteps`` (T,), noisiest first, that walks each stretch of
    ``length`` steps ``repeats`` times: at its end it returns to where it began.

    Returns lead to more noise, x_t ~ q(x_t | x_s), and ask no network; those of RePaint, step by
    step, add up to one. Counted from the cleanest timestep, they begin at every ``length``-th, but
    for the first stretch. RePaint has (10, 10) on 250 steps: 2,410 network evaluations.

    A return from "x0", x_t ~ q(x_t | x0^), begins where x0^ was last made: the state at the end of
    the stretch is left out, and with a length of 1 every timestep but the last is there
    ``repeats`` times.

    Source: the resampling of Lugmayr et al. 2022 ("state") and the time travel of Wang et al. 2023
    ("x0"; their code diffuses the guess that is not yet made consistent with y).

    Raises ValueError unless 1 <= length < T and repeats >= 1, and for another ``returns_from``.
    """
    check_choice("returns_from", returns_from, RETURNS_FROM)
    length, repeats = check_integer("returns", length, 1), check_integer("returns", repeats, 1)
    last = len(timesteps) - 1
    if length > last:
        raise ValueError(
            f"returns: got a length of {length} for {last + 1} timesteps; expected at most {last}"
        )
    left = {last - k: repeats - 1 for k in range(0, last + 1 - length, length)}
    path, place = [0], 0
    while place < last:
        place += 1
        path.append(place)
        if left.get(place, 0) > 0:
            left[place] -= 1
            place -= length
            if returns_from == "x0":
                path.pop()
            path.append(place)
    return timesteps[path]


def spacing_power(spacing: str | float) -> float:
    """The exponent of a spacing: a name of :data:`SPACINGS`, or a number >= 1 itself.

    Raises ValueError for another name, and for a number below 1 or not finite.
    """
    if isinstance(spacing, str):
        check_choice("spacing", spacing, SPACINGS)
        return SPACINGS[spacing]
    spacing = plain(spacing)
    if not is_number(spacing) or not 1 <= spacing < math.inf:
        raise ValueError(
            f"spacing: got {shown(spacing)}; expected an exponent >= 1, or {', '.join(SPACINGS)}"
        )
    return float(spacing)

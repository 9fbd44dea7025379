"""dL/dx_T and dL/dtheta of a solved chain, by name: from one term of the series to all of them."""

from collections.abc import Sequence

import torch

from deqir_lite.checks import check_choice, check_integer, check_kinds, check_like
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.inversion.adjoint import neumann_series, reverse_substitution, step_pullback

GRADIENTS = ("one-step", "neumann", "exact", "exact-series", "unrolled")
"""Gradients by name; all but ``unrolled`` need only the solved states."""


def check_gradient(gradient: str, terms: int, chunk: int) -> tuple[int, int]:
    """The plain ``terms`` and ``chunk``; ValueError unless both are at least 1, and for an unknown
    name."""
    check_choice("gradient", gradient, GRADIENTS)
    return check_integer("terms", terms, 1), check_integer("chunk", chunk, 1)


@torch.no_grad()
def implicit_gradient(
    system: FixedPointSystem,
    states: torch.Tensor,
    g: torch.Tensor,
    *,
    gradient: str = "exact",
    terms: int = 3,
    chunk: int = 4,
    parameters: Sequence[torch.Tensor] = (),
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """dL/dx_T = g_T + H_{T-1}^T a_{T-1}, dL/dtheta = sum_s (dh_s/dtheta)^T a_s (Eq. 13).

    ``states`` (T+1, B, ...) are the solved states and ``g``, of their shape, the slopes dL/dstates.
    a = (I - H)^-T g is taken by one of

    * ``one-step``: one term, a = (I - L)^-T g with the linear model L of ``system``. With the noise
      form this is the paper's M = I. One VJP. With the data form or Jacobi a loss on x_0 gets the
      gradient zero: their L is 0 in the last step, and one term does not reach back,
    * ``neumann``: ``terms`` terms; each further one costs a batched VJP,
    * ``exact``: reverse substitution, T VJPs one after the other,
    * ``exact-series``: T terms, after which the series ends.

    The sign: the paper's g is F minus its argument, so J_g = J - I and -J_g^-1 = (I - J)^-1.
    Its M = I is +I here; what is returned is the slope, to be descended.

    Returns the gradient (B, ...) and one tensor for each of ``parameters``. ``chunk`` steps are
    differentiated at a time. Raises ValueError for other names, shapes, and counts below 1.
    """
    check_kinds(implicit_gradient, locals())
    terms, chunk = check_gradient(gradient, terms, chunk)
    if gradient == "unrolled":
        raise ValueError("gradient: 'unrolled' needs the whole graph; use solve_implicit")
    chain = system.chain
    check_like("states", states, (chain.num_steps + 1, *chain.x_T.shape), chain.x_T)
    check_like("g", g, states.shape, states)
    if gradient == "exact":
        a = reverse_substitution(chain, states, g[1:])
    else:
        count = {"one-step": 1, "neumann": terms, "exact-series": chain.num_steps}[gradient]
        series = neumann_series(system, states, g[1:], chunk=chunk)
        for _ in range(min(count, chain.num_steps)):
            a = next(series)
    # Only the parameters need the later steps once more.
    rows = chain.num_steps if parameters else 1
    pulled, slopes = step_pullback(
        chain, states[:rows], a[:rows], chunk=chunk, parameters=parameters
    )
    return g[0] + pulled[0], slopes

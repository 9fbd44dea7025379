"""The adjoint of a solved chain: how a loss answers a push on each of its states.

A chain x_s = h_s(x_{s+1}) with step Jacobians H_s answers a small push with (I - H)^-1. A loss with
the slopes g = dL/dx of its states therefore has the adjoint states
    a = (I - H)^-T g,   that is   a_s = g_s + H_{s-1}^T a_{s-1},
and a_s says what a push on x_s does to the loss through all that follows.

Here ``states`` (T+1, B, ...) are x_T, ..., x_0; g and a (T, B, ...) belong to states[1:].
"""

from collections.abc import Iterator, Sequence

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_integer
from deqir_lite.fixedpoint.system import FixedPointSystem


def step_pullback(
    chain: RestorationChain,
    states: torch.Tensor,
    v: torch.Tensor,
    *,
    first: int = 0,
    chunk: int = 4,
    parameters: Sequence[torch.Tensor] = (),
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """H^T v for n steps, and the sum of (dh/dtheta)^T v over them: one VJP each.

    ``states`` (n, B, ...) are states[first], ... of the chain, ``v`` (n, B, ...) adjoints of their
    successors. Returns (n, B, ...) and one tensor for each of ``parameters``.

    ``chunk`` steps go through the network at a time and are forgotten before the next, so that the
    memory for activations does not depend on n.
    """
    chunk = check_integer("chunk", chunk, 1)
    pulled, totals = [], [torch.zeros_like(parameter) for parameter in parameters]
    for low in range(0, len(states), chunk):
        rows = slice(low, low + chunk)
        with torch.enable_grad():
            x = states[rows].detach().requires_grad_()
            stepped = chain.steps(x, first + low)
            # The graph from the parameters to the chain (through A^+ y, say) serves every chunk.
            found = torch.autograd.grad(
                stepped, [x, *parameters], v[rows], retain_graph=bool(totals), allow_unused=True
            )
        del stepped
        pulled.append(torch.zeros_like(x) if found[0] is None else found[0])
        totals = [a if b is None else a + b for a, b in zip(totals, found[1:], strict=True)]
    return torch.cat(pulled).detach(), totals


@torch.no_grad()
def reverse_substitution(
    chain: RestorationChain, states: torch.Tensor, g: torch.Tensor
) -> torch.Tensor:
    """a = (I - H)^-T g exactly: a_0 = g_0, then a_s = g_s + H_{s-1}^T a_{s-1}; (T, B, ...).

    T - 1 VJPs of one step each, one after the other, from the clean end. It is backpropagation
    through the chain, with one step in memory at a time.
    """
    adjoints = [g[-1]]
    for k in range(len(g) - 1, 0, -1):
        pulled, _ = step_pullback(chain, states[k : k + 1], adjoints[-1][None], first=k, chunk=1)
        adjoints.append(g[k - 1] + pulled[0])
    return torch.stack(adjoints[::-1])


@torch.no_grad()
def neumann_series(
    system: FixedPointSystem, states: torch.Tensor, g: torch.Tensor, *, chunk: int = 4
) -> Iterator[torch.Tensor]:
    """a after K = 1, 2, ..., T terms of the series (I - J)^-T = I + J^T + ... (Eq. 13).

    With the linear model L of the system, J = (I - L)^-1 (H - L), so the first term is
    a = (I - L)^-T g (the paper's M = I), and each further one is a sweep against the chain,
        a <- a + (I - L)^-T [g + H^T a - a],
    the mirror image of a forward sweep. J^T is nilpotent: the T-th term is the last one and a is
    exact. After K terms the K cleanest states are exact and are not evaluated again; a term costs
    one batched VJP of the others.
    """
    model, steps = system.model, len(g)
    a = model.correction_adjoint(g)
    yield a
    for unfinished in range(steps - 1, 0, -1):
        pulled, _ = step_pullback(
            system.chain, states[1 : unfinished + 1], a[1 : unfinished + 1], first=1, chunk=chunk
        )
        residual = g[:unfinished] + pulled - a[:unfinished]
        a = torch.cat([a[:unfinished] + model.correction_adjoint(residual), a[unfinished:]])
        yield a

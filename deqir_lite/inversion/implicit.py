"""A solved chain as one differentiable operation: solve without a graph, then just backward."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_kinds
from deqir_lite.fixedpoint import FixedPointSystem, LinearDenoiser
from deqir_lite.fixedpoint.forms import read_form
from deqir_lite.inversion.gradient import check_gradient, implicit_gradient
from deqir_lite.restoration import SolveOptions, solve_chain
from deqir_lite.solvers import Solution, Trace


@dataclass(frozen=True, eq=False)
class _Rule:
    """All that the backward pass needs besides the states."""

    system: FixedPointSystem
    gradient: str
    terms: int
    chunk: int
    parameters: Sequence[torch.Tensor]


class _FirstOrder(torch.autograd.Function):
    """A gradient as it is; whoever differentiates it again is told that it has no graph."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, *depends_on: torch.Tensor) -> torch.Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> Any:
        raise RuntimeError(
            "the implicit gradient cannot be differentiated again; for second derivatives take "
            "gradient='unrolled'"
        )


class _Equilibrium(torch.autograd.Function):
    """(x_T, theta) -> the given states, with the gradient of the implicit function theorem."""

    @staticmethod
    def forward(
        ctx: Any, x_T: torch.Tensor, states: torch.Tensor, rule: _Rule, *parameters: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(x_T, states)
        ctx.rule = rule
        return torch.cat([x_T[None], states[1:]])

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        (x_T, states), rule = ctx.saved_tensors, ctx.rule
        slope, slopes = implicit_gradient(
            rule.system,
            states,
            g,
            gradient=rule.gradient,
            terms=rule.terms,
            chunk=rule.chunk,
            parameters=rule.parameters,
        )
        if torch.is_grad_enabled():  # create_graph: a second derivative would silently be zero
            inputs = (g, x_T, *rule.parameters)
            slope, *slopes = (_FirstOrder.apply(v, *inputs) for v in (slope, *slopes))
        return slope, None, None, *slopes


def attach_gradient(
    system: FixedPointSystem,
    states: torch.Tensor,
    x_T: torch.Tensor,
    *,
    gradient: str = "exact",
    terms: int = 3,
    chunk: int = 4,
    parameters: Sequence[torch.Tensor] | None = None,
) -> torch.Tensor:
    """The solved ``states`` (T+1, B, ...) as a differentiable function of x_T and of parameters.

    ``gradient``, ``terms`` and ``chunk`` as in :func:`implicit_gradient`, which runs when a loss of
    the result is sent backward. Only the states are kept until then. ``parameters`` are tensors
    with ``requires_grad`` that the chain's step uses; by default all leaves that are found behind
    its first step: y, if it required a gradient when the chain was made, an operator's matrix,
    network weights. Name them to get the gradient of a tensor that is no leaf.
    """
    check_kinds(attach_gradient, locals())
    terms, chunk = check_gradient(gradient, terms, chunk)
    if parameters is None:
        parameters = differentiable_leaves(system.chain) if torch.is_grad_enabled() else ()
    chain = system.chain.with_x_T(x_T.detach())
    rule = _Rule(FixedPointSystem(chain, system.model), gradient, terms, chunk, parameters)
    return _Equilibrium.apply(x_T, states.detach(), rule, *parameters)


def solve_implicit(
    chain: RestorationChain,
    *,
    x_T: torch.Tensor | None = None,
    solve: SolveOptions | None = None,
    gradient: str = "exact",
    terms: int = 3,
    chunk: int = 4,
    gradient_form: str | LinearDenoiser | None = None,
    parameters: Sequence[torch.Tensor] | None = None,
) -> Solution:
    """Solve for all states without a graph; a loss on them still goes backward (Eqs. 11 and 13).

    * ``x_T`` (B, 3, H, W): the initial noise, by default the chain's,
    * ``solve``: how, without a window; it warns when it does not converge,
    * ``gradient``: a name of :data:`GRADIENTS`; ``unrolled`` walks the chain step by step under
      autograd, the reference that keeps T network graphs, and the only one with second derivatives,
    * ``terms``: how many, for ``neumann``,
    * ``chunk``: steps that are differentiated at a time; memory grows with it, and not with T,
    * ``gradient_form``: the linear model of the series, by default the form of the solve; the
      Gaussian one then keeps all of the noise: few terms are nearer to the gradient with it,
    * ``parameters``: as in :func:`attach_gradient`.

    In the result, ``states`` and ``x0`` carry the gradient. The gradient holds at a solution: with
    a loose tolerance it is that of a nearby chain.
    """
    check_kinds(solve_implicit, locals())
    terms, chunk = check_gradient(gradient, terms, chunk)
    x_T = chain.x_T if x_T is None else x_T
    if gradient == "unrolled":
        return _unrolled(chain.with_x_T(x_T))
    chain = chain.with_x_T(x_T.detach())
    solve = (solve or SolveOptions()).loaded(chain)
    if solve.window is not None and solve.window < chain.num_steps:
        raise ValueError(
            f"window: got {solve.window}; the gradient needs the states of all {chain.num_steps} "
            "steps, so that they are solved for at once"
        )
    solution = solve_chain(chain, solve)
    if gradient_form is None:
        form = solve.form
        gradient_form = read_form(form)[0] if isinstance(form, str) else form
    series = replace(solve, form=gradient_form)
    states = attach_gradient(
        series.system(chain),
        solution.states,
        x_T,
        gradient=gradient,
        terms=terms,
        chunk=chunk,
        parameters=parameters,
    )
    return replace(solution, states=states)


def _unrolled(chain: RestorationChain) -> Solution:
    states = chain.sequential()
    finite = bool(torch.isfinite(states).all())
    return Solution(states, chain.num_steps, chain.asking_steps() * len(chain.x_T), finite, Trace())


def differentiable_leaves(chain: RestorationChain) -> list[torch.Tensor]:
    """The leaf tensors with ``requires_grad`` that the chain's first step depends on.

    For example y, from which A^+ y was computed with its graph, the matrix of an operator, or the
    weights of a network. Costs one step of the chain.
    """
    with torch.enable_grad():
        stepped = chain.step(chain.x_T.detach(), 0)
    leaves: dict[int, torch.Tensor] = {}
    seen, pending = set(), [stepped.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # of a node that accumulates into a leaf
        if variable is not None:
            leaves[id(variable)] = variable
        pending.extend(following for following, _ in node.next_functions)
    return list(leaves.values())

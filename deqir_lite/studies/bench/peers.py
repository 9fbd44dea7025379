"""The relatives of parallel sampling as they were published, each in a few lines on our chains.

They differ in what is linear in a sweep, in the acceleration and in the window. Their programs do
more; what decides the counts is here. All begin where their authors do: every state is x_T.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import Cut, FixedPointSystem, LinearModel
from deqir_lite.fixedpoint.noise_form import NoiseFormModel
from deqir_lite.solvers import Solver


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a sampler is: ``x0`` (B, 3, H, W) now, the ``sweeps`` done, network ``calls`` that
    waited for one another, and ``nfe`` evaluations of single images. The first is the start.
    ``before`` is the x_0 at which a solver evaluated the sweep, ``cut`` (B,) how much it did not
    believe then; ``moved`` (B,) how far from rest the interpolated sweeps are."""

    x0: torch.Tensor
    sweeps: int
    calls: int
    nfe: int
    before: torch.Tensor | None = None
    cut: torch.Tensor | None = None
    moved: torch.Tensor | None = None


def swept(
    chain: RestorationChain,
    model: LinearModel,
    solver: Solver[Any],
    start: torch.Tensor,
    *,
    cut: Cut | None = None,
) -> Iterator[Progress]:
    """With a linear model and a solver, from ``start`` (T+1, B, 3, H, W) on."""
    system = FixedPointSystem(chain, model, cut=cut)
    state = solver.init(system, start)
    yield Progress(start[-1], 0, 0, 0)
    while state.first < chain.num_steps:
        before = state.states[-1]
        state = solver.step(system, state)
        x0, sweeps = state.output[-1], state.sweeps
        yield Progress(x0, sweeps, sweeps, state.nfe, before, state.cut)


class UnprojectedModel(LinearModel):
    """DEQ-DDIM (Pokle et al. 2022): the noise is held, and there is no projector.

    L_s = sqrt(abar_s / abar_{s+1}) I.
    """

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """As above."""
        return self.chain.roots[k + 1] / self.chain.roots[k] * v

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d_s = sqrt(abar_s) sum_{j >= s} r_j / sqrt(abar_j)."""
        root = self.chain.roots[first + 1 : first + 1 + len(residual)]
        return root * (residual / root).cumsum(dim=0)


class BandedModel(NoiseFormModel):
    """ParaTAA (Tang et al. 2024): Proposition 1 cut off after ``order`` states.

    Each state follows from the ``order`` old states before it. It is no choice of L, but has the
    same fixed point; for methods whose linear part is N.
    """

    order = 8

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d_s = r_s + sqrt(abar_s) sum_{s < j < s + order} N r_j / sqrt(abar_j)."""
        if not self._closed:
            raise ValueError("method: the banded system needs one whose linear part is N")
        root = self._root(residual, first)
        scaled = self.chain.measurement.null(residual) / root
        total = scaled.cumsum(dim=0)
        far = torch.cat([torch.zeros_like(scaled[: self.order]), total])[: len(total)]
        return residual + root * (total - scaled - far)


def paradigms(
    chain: RestorationChain, start: torch.Tensor, *, window: int, tolerance: float = 0.1
) -> Iterator[Progress]:
    """ParaDiGMS (Shih et al. 2023): L = I in a window that slides on over what has come to rest.

    A state rests when its mean square move is at most tolerance^2 times the variance of the
    noise that DDPM adds in the step after it. New states of the window begin as copies of its end.
    """
    c, T = chain.coefficients, chain.num_steps
    added = (1 - c.target) / (1 - c.source) * (1 - c.source / c.target)
    bound = torch.cat([tolerance**2 * added[1:], torch.tensor([torch.inf])])  # none after x_0
    states, begin, sweeps, nfe = start.clone(), 0, 0, 0
    states[0] = chain.x_T
    yield Progress(states[-1].clone(), 0, 0, 0)
    while begin < T:
        end = min(begin + window, T)
        residual = chain.steps(states[begin:end], begin) - states[begin + 1 : end + 1]
        moves = residual.cumsum(dim=0)
        states[begin + 1 : end + 1] += moves
        sweeps, nfe = sweeps + 1, nfe + moves.shape[1] * len(moves)
        size = moves.flatten(2).double().square().mean(dim=2).amax(dim=1).cpu()
        resting = (size <= bound[begin:end]).long().cumprod(dim=0).sum().item()
        begin += min(1 + int(resting), end - begin)
        states[end + 1 : begin + window + 1] = states[end]
        yield Progress(states[-1].clone(), sweeps, sweeps, nfe)


def quasi_deer(chain: RestorationChain, start: torch.Tensor) -> Iterator[Progress]:
    """Like quasi-DEER (Gonzalez et al. 2024): Newton's method with the diagonal of the Jacobian.

    A network has no cheap diagonal. One probe z of random signs estimates it, z * (H z), by a
    difference in the same batched call, kept within [-1, 1] so that no product of them explodes.
    """
    generator, step = torch.Generator().manual_seed(0), 1e-2
    states, batch, nfe = start.clone(), start.shape[1], 0
    states[0] = chain.x_T
    yield Progress(states[-1].clone(), 0, 0, 0)
    for j in range(chain.num_steps):
        x, steps = states[j:-1], torch.arange(j, chain.num_steps)
        signs = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
        both = chain.steps_at(torch.cat([x, x + step * signs]), steps.repeat(2).to(x.device))
        h, moved = both.chunk(2)
        diagonal = (signs * (moved - h) / step).clamp(-1, 1)
        corrections = [h[0] - states[j + 1]]
        for i in range(1, len(h)):
            corrections.append(h[i] - states[j + i + 1] + diagonal[i] * corrections[-1])
        states[j + 1 :] += torch.stack(corrections)
        nfe += 2 * len(h) * batch
        yield Progress(states[-1].clone(), j + 1, j + 1, nfe)


def srds(chain: RestorationChain) -> Iterator[Progress]:
    """SRDS (Selvam et al. 2024): parareal on about sqrt(T) blocks; one step over a whole block is
    the coarse propagator.

    A sweep is a round: all blocks that are not exact yet walked side by side, then their coarse
    steps one by one. Its start are the coarse steps.
    """
    T, batch = chain.num_steps, chain.x_T.shape[0]
    blocks = max(round(math.sqrt(T)), 1)
    bounds = [round(b * T / blocks) for b in range(blocks + 1)]
    edges, coarse = [chain.x_T], []
    for first, last in itertools.pairwise(bounds):
        coarse.append(_jump(chain, edges[-1], first, last))
        edges.append(coarse[-1])
    calls, nfe = blocks, blocks * batch
    yield Progress(edges[-1], 0, calls, nfe)
    for done in range(blocks):  # as many blocks begin at their exact state
        begins, ends = bounds[done:-1], bounds[done + 1 :]
        fine = torch.stack(edges[done:-1])
        lengths = [end - begin for begin, end in zip(begins, ends, strict=True)]
        for i in range(max(lengths)):
            at = [b for b, length in enumerate(lengths) if i < length]
            steps = torch.tensor([begins[b] + i for b in at], device=fine.device)
            fine[at] = chain.steps_at(fine[at], steps)
        edges[done + 1] = fine[0]
        for b in range(done + 1, blocks):
            guess = _jump(chain, edges[b], bounds[b], bounds[b + 1])
            edges[b + 1] = fine[b - done] + guess - coarse[b]
            coarse[b] = guess
        again = blocks - done - 1
        calls, nfe = calls + max(lengths) + again, nfe + batch * (sum(lengths) + again)
        yield Progress(edges[-1], done + 1, calls, nfe)


def _jump(chain: RestorationChain, x: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """From states[first] = x to states[last] in one step, with the noise of the last one."""
    prediction = chain.predict(x[None], slice(first, first + 1))
    w = chain.weights(slice(last - 1, last))
    mean = chain.weigh(w.a, chain.consistency(prediction)) + chain.weigh(w.c2, prediction.eps)
    return (mean + chain.weigh(w.c1, chain.noise[last - 1 : last]))[0]

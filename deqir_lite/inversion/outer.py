"""One outer step of Algorithm 2: solve from x_T, look at the loss, take the gradient."""

import math
import time
from dataclasses import dataclass, replace

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import LinearDenoiser
from deqir_lite.inversion.implicit import solve_implicit
from deqir_lite.inversion.losses import Loss
from deqir_lite.inversion.progress import InversionFailed, NoiseOptimization, OuterStep
from deqir_lite.inversion.saved import Descent
from deqir_lite.inversion.slopes import check_loss
from deqir_lite.metrics import psnr
from deqir_lite.restoration import SolveOptions


@dataclass(frozen=True, eq=False)
class OuterProblem:
    """What stays the same over the outer steps; the arguments of :func:`optimize_initial_noise`."""

    chain: RestorationChain
    loss: Loss
    solve: SolveOptions
    gradient: str
    terms: int
    chunk: int
    gradient_form: str | LinearDenoiser | None
    warm_start: bool
    shell_weight: float
    on: str
    reference: torch.Tensor | None

    @torch.enable_grad()  # also where the caller has switched gradients off
    def evaluate(self, run: Descent, last: bool) -> torch.Tensor | None:
        """Evaluate ``run.x_T``: append a row, keep the best, return the gradient.

        None in the ``last`` step, which needs none.
        """
        started = time.perf_counter()
        x_T = run.x_T.detach().clone().requires_grad_()
        solve = self.solve
        if self.warm_start and run.states is not None:
            solve = replace(solve, start=run.states)
        solution = solve_implicit(
            self.chain,
            x_T=x_T,
            solve=solve,
            gradient=self.gradient,
            terms=self.terms,
            chunk=self.chunk,
            gradient_form=self.gradient_form,
            parameters=(),
        )
        states = solution.states
        value = self.loss(states if self.on == "states" else states[-1])
        check_loss(value)
        shell = x_T.flatten(1).square().mean(dim=1)
        pull = self.shell_weight * (shell - 1).square().mean()
        objective = value.reshape(()) + pull
        if not bool(torch.isfinite(objective)):
            raise _refused(run, "the loss is NaN or infinite")
        gradient = None if last else self._gradient(objective, value, x_T, states, not run.rows)
        size = None if gradient is None else float(gradient.norm())
        quality = None
        if self.reference is not None:
            quality = float(psnr(states[-1].detach(), self.reference).mean())
        row = OuterStep(
            step=len(run.rows),
            loss=float(value.detach()),
            objective=float(objective.detach()),
            shell=float(shell.detach().mean()),
            psnr=quality,
            sweeps=solution.sweeps,
            nfe=solution.nfe,
            converged=solution.converged,
            gradient_norm=size,
            seconds=0.0,
        )
        run.states = states.detach()
        if run.best_states is None or row.objective < run.rows[run.best_step].objective:
            run.best_states, run.best_step = run.states, row.step
        run.rows.append(replace(row, seconds=time.perf_counter() - started))
        if size is not None and not math.isfinite(size):
            raise _refused(run, "the gradient holds NaN or infinity")
        return gradient

    def _gradient(
        self,
        objective: torch.Tensor,
        value: torch.Tensor,
        x_T: torch.Tensor,
        states: torch.Tensor,
        first: bool,
    ) -> torch.Tensor:
        """d objective / d x_T; in the first step also whether the loss can be moved at all."""
        if first:
            (g,) = torch.autograd.grad(
                value.reshape(()), states, retain_graph=True, allow_unused=True
            )
            self._check_slopes(g)
        return torch.autograd.grad(objective, x_T)[0]

    def _check_slopes(self, g: torch.Tensor | None) -> None:
        """x_T moves only the null space of A in x_0: a loss that looks elsewhere is constant."""
        if g is None:
            raise ValueError("loss: does not depend on x_0, or was detached from it")
        on_x0, size = g[-1], float(g[-1].norm())
        if size == 0 or g[:-1].any() or not self.chain.meets_y:
            return
        seen = self.chain.measurement.null(on_x0)
        if float(seen.norm()) <= torch.finfo(g.dtype).eps ** 0.5 * size:
            raise ValueError(
                "loss: constant, because it looks at x_0 only where A x_0 = y decides; its "
                "gradient has no part in the null space of A"
            )


def result_of(run: Descent, stopped: str) -> NoiseOptimization:
    """The best noise of a run with at least one row."""
    assert run.best_states is not None
    x_T = run.best_states[0]
    return NoiseOptimization(x_T, run.best_states, run.best_step, tuple(run.rows), stopped)


def _refused(run: Descent, reason: str) -> InversionFailed:
    result = result_of(run, "failed") if run.rows else None
    best = "none was evaluated before" if result is None else f"the best is step {result.step}"
    return InversionFailed(
        f"outer step refused, {reason}; .result holds the best x_T so far ({best})", result
    )

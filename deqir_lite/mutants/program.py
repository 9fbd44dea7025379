"""The method of chapters 3 and 4 as one small program, in which each decision is one method.

A mutant overrides one of them. What the program computes is what
:class:`RestorationChain` and :class:`NoiseFormModel` compute; it is written out here because one
cannot see in code that is shared how a copy of it goes wrong.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.base import Prior, predict_x0
from deqir_lite.schedule import timestep_grid


@dataclass(frozen=True, eq=False)
class Problem:
    """What a program is asked to restore: measurements ``y`` (B, ...) of ``operator``, with
    ``prior``, in ``num_steps`` = T steps; ``eta`` and ``seed`` as in :func:`make_chain`.
    """

    prior: Prior
    operator: LinearOperator
    y: Tensor
    num_steps: int = 8
    eta: float = 0.85
    seed: int = 0


class Program:
    """The right program: step by step (Sec. 3, update below Eq. 5), and all at once (Eq. 9).

    States are (T+1, B, 3, H, W), x_T first; numbers per step are (T, 1, 1, 1, 1).
    """

    mistake = "none"
    """What is wrong with it, in a few words."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.timesteps = timestep_grid(problem.num_steps, spacing="uniform")
        self.alpha_bar = self.levels()[:, None, None, None, None].to(problem.y)
        self.source, self.target = self.alpha_bar[:-1], self.alpha_bar[1:]
        self.pinv_y = self.pinv(self.measurement())
        self.x_T, self.noise = self.draw()

    # The decisions

    def levels(self) -> Tensor:
        """abar_T, ..., abar_1 of the timesteps and abar_0 = 1, (T+1,)."""
        table = self.problem.prior.schedule.alpha_bar
        return torch.cat([table[self.timesteps], torch.ones(1, dtype=table.dtype)])

    def asked_at(self) -> Tensor:
        """The timesteps (T,) at which the network is asked about x_T, ..., x_1."""
        return self.timesteps

    def weights(self) -> tuple[Tensor, Tensor]:
        """c1 and c2 of every step, of the level where the step arrives."""
        level, eta = (1 - self.target).sqrt(), self.problem.eta
        return eta * level, (1 - eta**2) ** 0.5 * level

    def draw(self) -> tuple[Tensor, Tensor]:
        """x_T and xi_T, ..., xi_1: all draws of the chain, from one seed."""
        generator = torch.Generator().manual_seed(self.problem.seed)
        shape = (self.problem.num_steps + 1, *self.pinv_y.shape)
        draws = torch.randn(shape, generator=generator, dtype=torch.float64).to(self.pinv_y)
        return draws[0], draws[1:]

    def measurement(self) -> Tensor:
        """y."""
        return self.problem.y

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y."""
        return self.problem.operator.pinv(y)

    def null(self, x: Tensor) -> Tensor:
        """N x = x - A^+ A x for (B, 3, H, W) or (n, B, 3, H, W)."""
        flat = x.reshape(-1, *x.shape[-3:])
        return (flat - self.pinv(self.problem.operator.A(flat))).view_as(x)

    def walked_photo(self, x: Tensor, eps: Tensor, k: int) -> Tensor:
        """x_{0|t} of states[k] = x in the step-by-step method."""
        return predict_x0(x, eps, self.source[k].sqrt(), (1 - self.source[k]).sqrt())

    def swept_noise(self) -> Tensor:
        """The xi that a sweep adds, (T, B, 3, H, W)."""
        return self.noise

    def asked_about(self, states: Tensor) -> Tensor:
        """The states (T, B, 3, H, W) that a sweep shows to the network."""
        return states[:-1]

    def summands(self, eps: Tensor) -> Tensor:
        """z of Eq. 9 without its range-space constants: [c2 I - sqrt(abar_s) rho N] eps."""
        rho = ((1 - self.source) / self.source).sqrt()
        return self.weights()[1] * eps - self.target.sqrt() * rho * self.null(eps)

    # The method

    def predict_noise(self, states: Tensor, first: int = 0) -> Tensor:
        """eps of states[first], states[first+1], ... (n, B, 3, H, W)."""
        n, batch = states.shape[:2]
        t = self.asked_at()[first : first + n].repeat_interleave(batch)
        return self.problem.prior(states.flatten(0, 1), t).view_as(states)

    def step(self, x: Tensor, k: int) -> Tensor:
        """From states[k] = x (B, 3, H, W) to states[k+1]."""
        eps = self.predict_noise(x[None], k)[0]
        x0 = self.pinv_y + self.null(self.walked_photo(x, eps, k))
        c1, c2 = (weight[k] for weight in self.weights())
        return self.target[k].sqrt() * x0 + c2 * eps + c1 * self.noise[k]

    def sequential(self) -> Tensor:
        """All states, step by step."""
        states = [self.x_T]
        for k in range(self.problem.num_steps):
            states.append(self.step(states[-1], k))
        return torch.stack(states)

    def sweep(self, states: Tensor) -> Tensor:
        """F(states): the right-hand side of Eq. 9, as a prefix sum."""
        z = self.summands(self.predict_noise(self.asked_about(states)))
        z = z + self.target.sqrt() * self.pinv_y + self.weights()[0] * self.swept_noise()
        u = self.null(self.x_T) / self.alpha_bar[0].sqrt()
        u = u + (self.null(z) / self.target.sqrt()).cumsum(0)
        return torch.cat([self.x_T[None], self.target.sqrt() * u + (z - self.null(z))])

    def parallel(self) -> Tensor:
        """All states after T sweeps that begin at x_T everywhere."""
        states = self.x_T.expand(self.problem.num_steps + 1, *self.x_T.shape)
        for _ in range(self.problem.num_steps):
            states = self.sweep(states)
        return states

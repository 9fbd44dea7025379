"""Programs that are wrong on purpose, each in one place. Most of these mistakes are real ones."""

import torch
from torch import Tensor

from deqir_lite.mutants.program import Program


class StartLevel(Program):
    """c1 and c2 of the level where a step starts: Proposition 1 of the paper, read word by word."""

    mistake = "c1 and c2 take alpha_bar of the step's start"

    def weights(self) -> tuple[Tensor, Tensor]:
        level, eta = (1 - self.source).sqrt(), self.problem.eta
        return eta * level, (1 - eta**2) ** 0.5 * level


class MissingRoot(Program):
    """rho N eps without sqrt(abar_s) in front: the c~ of Proposition 1, read word by word."""

    mistake = "no sqrt(alpha_bar) in front of rho N in [paper 9]"

    def summands(self, eps: Tensor) -> Tensor:
        rho = ((1 - self.source) / self.source).sqrt()
        return self.weights()[1] * eps - rho * self.null(eps)


class UnequalSplit(Program):
    """Weights eta and 1 - eta, whose squares do not sum to one: noise gets lost in every step."""

    mistake = "noise split as eta and 1 - eta, without squares"

    def weights(self) -> tuple[Tensor, Tensor]:
        level, eta = (1 - self.target).sqrt(), self.problem.eta
        return eta * level, (1 - eta) * level


class NoisyEnd(Program):
    """alpha_bar_0 from the table of training levels: its least noisy entry, which is not 1."""

    mistake = "the last step arrives at the table's first level, not at 1"

    def levels(self) -> Tensor:
        table = self.problem.prior.schedule.alpha_bar
        return torch.cat([table[self.timesteps], table[:1]])


class LateTimestep(Program):
    """The network is asked at the next timestep of the list."""

    mistake = "the network is told the timestep of the step's end"

    def asked_at(self) -> Tensor:
        return torch.cat([self.timesteps[1:], self.timesteps[-1:]])


class AskedAboutTarget(Program):
    """A slice off by one: a sweep asks the network about the states that it is to make."""

    mistake = "a sweep shows the network x_s in the place of x_{s+1}"

    def asked_about(self, states: Tensor) -> Tensor:
        return states[1:]


class RedrawnNoise(Program):
    """xi drawn anew in every sweep, as a line of a sequential sampler does it."""

    mistake = "fresh noise in every sweep"

    def swept_noise(self) -> Tensor:
        return torch.randn_like(self.noise)


class SharedNoise(Program):
    """One draw of noise, repeated for all steps."""

    mistake = "one draw of noise for all steps"

    def draw(self) -> tuple[Tensor, Tensor]:
        x_T, noise = super().draw()
        return x_T, noise[:1].expand_as(noise)


class IgnoredSeed(Program):
    """Draws from the global generator: the seed changes nothing, and nothing comes back."""

    mistake = "the seed is ignored"

    def draw(self) -> tuple[Tensor, Tensor]:
        x_T, noise = super().draw()
        return torch.randn_like(x_T), torch.randn_like(noise)


class InexactPinv(Program):
    """An iterative pseudo-inverse, stopped early: ten Landweber steps p <- p + A^T (y - A p)."""

    mistake = "the pseudo-inverse is iterative, and stops early"

    def pinv(self, y: Tensor) -> Tensor:
        operator = self.problem.operator
        p = operator.adjoint(y)
        for _ in range(9):
            p = p + operator.adjoint(y - operator.A(p))
        return p


class EightBitMeasurement(Program):
    """y was kept in an ordinary image file, in steps of 1/127.5."""

    mistake = "y went through an 8-bit file"

    def measurement(self) -> Tensor:
        return (self.problem.y * 127.5).round() / 127.5


class ClippedWalk(Program):
    """x_{0|t} clipped to [-1, 1] step by step, as samplers do by default, and not in Eq. 9."""

    mistake = "the step-by-step method clips x_{0|t}, the sweep does not"

    def walked_photo(self, x: Tensor, eps: Tensor, k: int) -> Tensor:
        return super().walked_photo(x, eps, k).clamp(-1, 1)


MUTANTS: tuple[type[Program], ...] = tuple(Program.__subclasses__())
"""All mutants above, in the order of the table."""

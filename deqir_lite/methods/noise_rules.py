"""Noise rules: how the next state is put together from x0^, the last state, eps and fresh noise.

Every rule is four weights a step,
    x_s = a x0^ + b x_{s+1} + c2 eps + c1 xi,
with c1 and c2 as in Proposition 1. ``source`` and ``target`` are alpha_bar of x_{s+1} and of x_s.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from deqir_lite.checks import check_interval
from deqir_lite.measurement import Measurement


class Weights(NamedTuple):
    """a, b, c2, c1 of T steps: numbers (T,), or diagonals in the singular basis of the operator,
    (T, 1 or B, 3, H, W). float64, on the CPU."""

    a: torch.Tensor
    b: torch.Tensor
    c2: torch.Tensor
    c1: torch.Tensor


class Drawing(Protocol):
    """A consistency step around whose x0^ one can draw."""

    def draw(self, white: torch.Tensor, white_y: torch.Tensor) -> torch.Tensor:
        """What a draw of x_0 has beside x0^, (T, B, 3, H, W), from standard normal images."""
        ...


class NoiseRule(ABC):
    """What a method does with its noise. ``draws`` is how many standard normal images a step asks
    for: none, one or several. Steps that return to more noise have one of their own."""

    draws = 1

    @abstractmethod
    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None
    ) -> Weights:
        """The weights of the steps from ``source`` (T,) to ``target`` (T,), float64.

        ``measurement`` is for rules that look at sigma_y and the singular values.
        """

    def fresh_noise(
        self, draws: torch.Tensor, source: torch.Tensor, target: torch.Tensor, around: Drawing
    ) -> torch.Tensor:
        """xi (T, B, 3, H, W) of all steps from their ``draws`` (T, m, B, 3, H, W), m >= 1.

        Done once, when the chain is made; here it is the first draw. ``around`` is the chain's
        consistency step, for rules that draw around its x0^.
        """
        return draws[:, 0]


@dataclass(frozen=True)
class ReleasedNoise(NoiseRule):
    """c1 = nw sqrt(1 - abar_s), c2 = sqrt(1 - etw^2) sqrt(1 - abar_s), a = sqrt(abar_s).

    The rule of DeqIR's released code, whose two options, each in [0, 1], stand for one eta: unless
    they are equal, a state has not the noise level of its timestep.
    """

    nw: float
    etw: float

    def __post_init__(self) -> None:
        check_interval("nw", self.nw, 0.0, 1.0)
        check_interval("etw", self.etw, 0.0, 1.0)

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        noise = (1 - target).sqrt()
        c2 = math.sqrt(1 - self.etw**2) * noise
        return Weights(target.sqrt(), torch.zeros_like(target), c2, self.nw * noise)


@dataclass(frozen=True)
class DDNMNoise(NoiseRule):
    """a = sqrt(abar_s), c1 = eta sqrt(1 - abar_s), c2 = sqrt(1 - eta^2) sqrt(1 - abar_s).

    The rule of DDNM and of Proposition 1; ``eta`` in [0, 1] is the share of fresh noise: 0 is
    deterministic DDIM, 1 puts all of a step's noise into fresh draws.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        check_interval("eta", self.eta, 0.0, 1.0)

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        return ReleasedNoise(nw=self.eta, etw=self.eta).weights(source, target)


@dataclass(frozen=True)
class DDIMNoise(NoiseRule):
    """c1 = ddim_eta times the deviation of DDPM's posterior, c2 = sqrt(1 - abar_s - c1^2).

    DDIM's own eta (equations 12 and 16 of Song et al. 2021), in [0, 1]; with 1 the chain has the
    law of DDPM's.
    """

    ddim_eta: float = 0.0

    def __post_init__(self) -> None:
        check_interval("ddim_eta", self.ddim_eta, 0.0, 1.0)

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        c1 = self.ddim_eta * _posterior_deviation(source, target)
        c2 = (1 - target - c1.square()).clamp(min=0).sqrt()
        return Weights(target.sqrt(), torch.zeros_like(target), c2, c1)


@dataclass(frozen=True)
class DDPMNoise(NoiseRule):
    """x_s drawn from q(x_s | x_{s+1}, x_0 = x0^), DDPM's posterior (Eqs. 3 and 4).

    With alpha = abar_{s+1} / abar_s: a = sqrt(abar_s) (1 - alpha) / (1 - abar_{s+1}),
    b = sqrt(alpha) (1 - abar_s) / (1 - abar_{s+1}), c1^2 = (1 - abar_s) (1 - alpha) /
    (1 - abar_{s+1}). It keeps a part of x_{s+1} where DDIM keeps a part of eps.
    """

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        alpha = source / target
        a = target.sqrt() * (1 - alpha) / (1 - source)
        b = alpha.sqrt() * (1 - target) / (1 - source)
        return Weights(a, b, torch.zeros_like(target), _posterior_deviation(source, target))


@dataclass(frozen=True)
class ExactNoise(NoiseRule):
    """DDPM's posterior around a draw from p(x_0 | x_{s+1}, y) instead of around its mean x0^:

    x_s = a (x0^ + share w) + b x_{s+1} + c1 xi, with a, b, c1 as in :class:`DDPMNoise` and w what
    such a draw has beside its mean. With ``share`` = 1 and the weighted step the chain draws from
    the posterior of the Gaussian prior exactly, whatever T; ``share`` = 0 is the ancestral rule,
    and what lies between trades sharpness for PSNR.
    """

    share: float = 1.0

    draws = 3

    def __post_init__(self) -> None:
        check_interval("share", self.share, 0.0, 1.0)

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """a and b of DDPM; c1 = 1, since the noise has two parts with weights of their own."""
        a, b, c2, _ = DDPMNoise().weights(source, target)
        return Weights(a, b, c2, torch.ones_like(a))

    def fresh_noise(
        self, draws: torch.Tensor, source: torch.Tensor, target: torch.Tensor, around: Drawing
    ) -> torch.Tensor:
        """c1 xi + a share w."""
        a, _, _, c1 = (
            weight.to(draws).reshape(-1, *[1] * (draws.ndim - 2))
            for weight in DDPMNoise().weights(source, target)
        )
        return c1 * draws[:, 0] + self.share * a * around.draw(draws[:, 1], draws[:, 2])


def _posterior_deviation(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return ((1 - target) / (1 - source) * (1 - source / target)).clamp(min=0).sqrt()

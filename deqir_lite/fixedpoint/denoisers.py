"""Linear denoisers W: a guess of x_0 from x_{s+1} that is linear, and says how eps answers.

A change v of x_{s+1} changes the guess of x_0 by W v, and with it the noise by
(v - sqrt(abar) W v) / sqrt(1 - abar). A form of the fixed-point system is nothing but such a W.
"""

from typing import Protocol, runtime_checkable

import torch

from deqir_lite.priors.gaussian import GaussianPrior


@runtime_checkable
class LinearDenoiser(Protocol):
    """W for images (B, 3, H, W) of the noise level ``alpha_bar``; symmetric."""

    def __call__(self, v: torch.Tensor, alpha_bar: float) -> torch.Tensor:
        """W v."""


def noise_held(v: torch.Tensor, alpha_bar: float) -> torch.Tensor:
    """W v = v / sqrt(abar): the noise stays as it is and x_0 follows; Proposition 1."""
    return v / alpha_bar**0.5


def data_held(v: torch.Tensor, alpha_bar: float) -> torch.Tensor:
    """W v = 0: x_0 stays as it is and the noise follows; the data form."""
    return torch.zeros_like(v)


def wiener(gaussian: GaussianPrior) -> LinearDenoiser:
    """W = sqrt(abar) Lam (abar Lam + 1 - abar)^-1, the Wiener filter: both follow as they do under
    a Gaussian photo prior of covariance Lam; the Gaussian form."""
    return gaussian.wiener

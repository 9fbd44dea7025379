"""A prior whose difference from a Gaussian one is cut to what pixels can be.

Far from where chains walk a network may say anything, and what it says there can drive the next
sweep further away: on long chains there are sweeps whose states run away, although the walk is
stable. Under the Gaussian prior alone the sweeps of the Gaussian form come to rest, so it is the
rest, x_{0|t} - xG_{0|t}, that is kept within bounds. Cutting x_{0|t} itself (static thresholding,
Saharia et al. 2022) helps, too, but changes the chain of a Gaussian prior.
"""

import torch

from deqir_lite.checks import check_interval, check_kinds
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of

BOUND = 2.0
"""By default: the width of the range of pixels, [-1, 1]."""


class CutPrior:
    """``prior`` with what it adds to the x_0 of ``gaussian``, pixel by pixel, cut to
    [-bound, bound].

    Where the walk of a chain is not cut, it is the walk of ``prior``. ``cut`` (N,) says how much
    the last call took away from each image, RMS, times sqrt(abar_t): of that part of x_t which is
    the photo. Where nearly all is noise much may be cut and matter little.
    """

    def __init__(self, prior: Prior, gaussian: GaussianPrior, *, bound: float = BOUND) -> None:
        check_kinds(CutPrior.__init__, locals())
        self.prior, self.around, self.schedule = prior, gaussian, prior.schedule
        self.gaussian = gaussian_of(prior)  # what methods take of it, which stay what they are
        self.bound = check_interval("bound", bound, 0.0, float("inf"))
        self.cut = torch.zeros(0)

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps (N, 3, H, W) of the cut x_0; what is not finite stays so."""
        signal, noise = self.schedule.at(t, x_t)
        guess = self.around(x_t, t)
        added = (guess - self.prior(x_t, t)) * noise / signal
        within = torch.where(added.isfinite(), added.clamp(-self.bound, self.bound), added)
        self.cut = (signal * (added - within)).flatten(1).square().mean(1).sqrt()
        return guess - within * signal / noise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prior!r}, bound={self.bound:g})"

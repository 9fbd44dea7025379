"""What a prior adds to a Gaussian one, cut to what pixels can be.

Far from where chains walk a network may say anything, and what it says there can drive the next
sweep further away: on long chains there are sweeps whose states run away, although the walk is
stable. Under the Gaussian prior alone the sweeps of the Gaussian form come to rest, so it is the
rest, x_{0|t} - xG_{0|t}, that is kept within bounds. Cutting x_{0|t} itself (static thresholding,
Saharia et al. 2022) helps, too, but changes the chain of a Gaussian prior.

Either the prior is cut, and with it the chain (:class:`CutPrior`), or what the sweeps of a solve
believe, and the chain stays what it is (:class:`Cut`).
"""

from dataclasses import replace

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_interval, check_kinds
from deqir_lite.methods import Prediction
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of

BOUND = 2.0
"""By default: the width of the range of pixels, [-1, 1]."""

CLEAR = 0.1
"""The least sqrt(abar) of a state that a solve cuts. Where less of it is photo, a network that
predicts noise may be off by much in x_0, and by little in what follows from it."""


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
        excess = _beyond(added, self.bound)
        self.cut = (signal * excess).flatten(1).square().mean(1).sqrt()
        return guess - (added - excess) * signal / noise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prior!r}, bound={self.bound:g})"


class Cut:
    """For the sweeps of a solve: what the prior of a chain adds to the x_0 of ``gaussian`` is not
    believed beyond [-bound, bound], but for the noisiest states (:data:`CLEAR`)."""

    def __init__(self, gaussian: GaussianPrior, *, bound: float = BOUND) -> None:
        check_kinds(Cut.__init__, locals())
        self.gaussian, self.bound = gaussian, check_interval("bound", bound, 0.0, float("inf"))

    def __call__(
        self, chain: RestorationChain, asked: Prediction, where: torch.Tensor
    ) -> tuple[Prediction, torch.Tensor]:
        """What is believed of the prediction ``asked`` of ``chain``, cut in the states ``where``
        (n, B, 1, 1, 1); ``asked`` itself if nothing was cut. And the most that was taken from a
        state of each image (B,), as ``CutPrior.cut`` has it. What is not finite stays so.
        """
        x, (signal, noise) = asked.states, chain.levels(asked.steps)
        t = chain.timesteps[asked.steps].repeat_interleave(x.shape[1])
        guess = self.gaussian.denoise(x.flatten(0, 1), t).view_as(x)
        where = where & (signal >= CLEAR)
        excess = torch.where(where, _beyond(asked.x0 - guess, self.bound), 0.0)
        taken = (signal * excess).flatten(2).square().mean(2).sqrt().amax(0)
        if not bool(taken.any()):
            return asked, taken
        eps = asked.eps + signal / noise * excess
        return replace(asked, x0=asked.x0 - excess, eps=eps), taken

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.gaussian!r}, bound={self.bound:g})"


def _beyond(added: torch.Tensor, bound: float) -> torch.Tensor:
    """What of it lies outside of [-bound, bound]."""
    return added - added.clamp(-bound, bound)

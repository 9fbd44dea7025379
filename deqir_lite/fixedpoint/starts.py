"""Where the iteration may begin: first guesses for all states of a chain."""

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice
from deqir_lite.priors.gaussian import GaussianPrior

STARTS = ("noise", "measurement", "gaussian")


def noise_start(chain: RestorationChain) -> torch.Tensor:
    """Every state is x_T (Alg. 1, line 1): (T+1, B, 3, H, W)."""
    repeats = [chain.num_steps + 1] + [1] * chain.x_T.ndim
    return chain.x_T.repeat(*repeats)


def measurement_start(chain: RestorationChain) -> torch.Tensor:
    """x_s = sqrt(abar_s) A^+ y + sqrt(1 - abar_s) (sqrt(1 - eta^2) x_T + eta xi_{s+1}).

    A^+ y noised to the right level with the chain's own noise.
    """
    c = chain.coefficients
    signal, level = chain.per_step(c.target.sqrt()), chain.per_step((1 - c.target).sqrt())
    noise = (1 - c.eta**2) ** 0.5 * chain.x_T + c.eta * chain.noise
    states = signal * chain.consistency.pinv_y + level * noise
    return torch.cat([chain.x_T[None], states])


def gaussian_start(chain: RestorationChain, gaussian: GaussianPrior) -> torch.Tensor:
    """The sequential chain under a Gaussian prior: T cheap steps, no network call."""
    return chain.with_prior(gaussian).sequential()


def make_start(
    name: str, chain: RestorationChain, gaussian: GaussianPrior | None = None
) -> torch.Tensor:
    """The start of a name: ``noise`` (all x_T, the paper's), ``measurement`` or ``gaussian``."""
    check_choice("start", name, STARTS)
    if name == "gaussian":
        if gaussian is None:
            raise ValueError("gaussian: got None; the Gaussian start needs a GaussianPrior")
        return gaussian_start(chain, gaussian)
    return noise_start(chain) if name == "noise" else measurement_start(chain)

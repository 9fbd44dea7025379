"""Where the iteration may begin: first guesses for all states of a chain."""

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice, check_kinds
from deqir_lite.priors.gaussian import GaussianPrior

STARTS = ("x_T", "measurement", "gaussian")


def x_T_start(chain: RestorationChain) -> torch.Tensor:
    """Every state is x_T (Alg. 1, line 1): (T+1, B, 3, H, W)."""
    repeats = [chain.num_steps + 1] + [1] * chain.x_T.ndim
    return chain.x_T.repeat(*repeats)


def measurement_start(chain: RestorationChain) -> torch.Tensor:
    """x_s = sqrt(abar_s) A^+ y + sqrt(1 - abar_s - c1^2) x_T + c1 xi.

    A^+ y noised to the right level with the chain's own noise.
    """
    c = chain.coefficients
    level = (1 - c.target).reshape(-1, *[1] * (c.c1.ndim - 1))
    kept = level - c.c1.square()
    kept = torch.where(kept > 1e-12 * level, kept, 0).sqrt()  # else it is rounding
    kept, c1 = chain.placed(kept), chain.placed(c.c1)
    fresh = chain.noise[:]
    noise = chain.weigh(kept, chain.x_T.expand_as(fresh)) + chain.weigh(c1, fresh)
    states = chain.per_step(c.target.sqrt()) * chain.measurement.pinv_y + noise
    return torch.cat([chain.x_T[None], states])


def gaussian_start(chain: RestorationChain, gaussian: GaussianPrior) -> torch.Tensor:
    """The sequential chain under a Gaussian prior: T cheap steps, no network call."""
    return chain.with_prior(gaussian).sequential()


def make_start(
    name: str, chain: RestorationChain, *, gaussian: GaussianPrior | None = None
) -> torch.Tensor:
    """The start of a name: ``x_T`` (every state, the paper's), ``measurement`` or ``gaussian``."""
    check_kinds(make_start, locals())
    check_choice("start", name, STARTS)
    if name == "gaussian":
        if gaussian is None:
            raise ValueError("gaussian: got None; the Gaussian start needs a GaussianPrior")
        if chain.x_T.ndim != 4 or chain.x_T.shape[1] != 3:
            raise ValueError(
                f"start: the Gaussian start is for photos (B, 3, H, W), not for states of shape "
                f"{tuple(chain.x_T.shape)}; use 'measurement' or 'x_T'"
            )
        return gaussian_start(chain, gaussian)
    return x_T_start(chain) if name == "x_T" else measurement_start(chain)

"""e(t): how far the Gaussian denoiser is from the photos, at every timestep."""

import torch

from deqir_lite.priors.gaussian import GaussianPrior


@torch.no_grad()
def gaussian_error(prior: GaussianPrior, crops: torch.Tensor) -> torch.Tensor:
    """The rms error (N,) of x_{0|t} = G(x_t, t) on ``crops`` (B, 3, H, W), float64, for all t.

    G multiplies every mode of variance Lam by g = sqrt(abar) Lam / (abar Lam + 1 - abar). What it
    leaves of a photo's mode x is (g sqrt(abar) - 1) x, what it leaves of the noise g sqrt(1 - abar)
    eps; so the mean over all noise needs only the photos' power in each mode:
        e(t)^2 = mean of (1 - g sqrt(abar))^2 |x|^2 + g^2 (1 - abar).
    """
    crops = crops.double()
    variances, mean = prior.eigenvalues(crops), prior.mean(crops)
    parts = crops.split(64)  # the modes of all crops at once would take a gigabyte
    power = sum(prior.modes(part - mean).abs().square().sum(0) for part in parts) / len(crops)
    # rfft2 keeps one of each pair of conjugate columns, which counts twice
    width = crops.shape[-1]
    weight = torch.full((width // 2 + 1,), 2.0, dtype=torch.float64, device=crops.device)
    weight[0] = 1.0
    if width % 2 == 0:
        weight[-1] = 1.0
    count = 3 * crops.shape[-2] * width
    errors = []
    for alpha_bar in prior.schedule.alpha_bar.tolist():
        gain = alpha_bar**0.5 * variances / (alpha_bar * variances + (1 - alpha_bar))
        error = (1 - gain * alpha_bar**0.5).square() * power + gain.square() * (1 - alpha_bar)
        errors.append((error * weight).sum() / count)
    return torch.stack(errors).sqrt()

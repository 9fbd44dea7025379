"""Losses L = l(phi(x_0), psi(y)) of a restored photo (Eq. 12): what it should be like besides y.

Each function here returns a loss: a function from x_0 (B, 3, H, W) to one number, the mean over
pixels and photos. Their sums are losses too; any other function of this kind will do.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from deqir_lite.checks import check_choice, check_finite, check_images, check_integer, check_kinds
from deqir_lite.metrics import LPIPS_BACKBONES, LPIPS_SMALLEST_SIDE, lpips_network
from deqir_lite.operators.base import LinearOperator

Loss = Callable[[torch.Tensor], torch.Tensor]


def measurement_loss(operator: LinearOperator, y: torch.Tensor) -> Loss:
    """Mean of (A x_0 - y)^2: phi = A and psi = identity in the paper's words (Eq. 12).

    With the operator and the y of the chain itself it is CONSTANT: the range-null step makes
    A x_0 = y hold exactly, whatever x_T (Eq. 5), its gradient is rounding error, and
    :func:`optimize_initial_noise` refuses it. It says something when ``operator`` and ``y`` bring
    in more than the chain has: a second photo of the same thing, or a truer model of the camera
    than the one that could be inverted.
    """
    check_kinds(measurement_loss, locals())
    check_finite("y", y)
    return lambda x0: _mean_square(operator.A(x0), y, "y")


def restorer_loss(restorer: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor) -> Loss:
    """Mean of (x_0 - restorer(y))^2: phi = identity and psi a pretrained restorer (Eq. 12).

    ``restorer`` maps y to photos (B, 3, H, W); it is called once, here, without gradients.
    """
    check_kinds(restorer_loss, locals())
    with torch.no_grad():
        target = restorer(y)
    check_images("restorer(y)", target)
    return lambda x0: _mean_square(x0, target, "restorer(y)")


def color_statistics_loss(reference: torch.Tensor) -> Loss:
    """Distance of mean colour and 3x3 colour covariance from those of a reference photo.

    ``reference`` (1 or B, 3, H', W') in [-1, 1] may have any size and show anything. For reference
    colourisation as in the paper's Fig. 5.
    """
    check_images("reference", reference)
    mean, covariance = _color_statistics(reference)

    def loss(x0: torch.Tensor) -> torch.Tensor:
        got_mean, got_covariance = _color_statistics(x0)
        return _mean_square(got_mean, mean, "reference") + _mean_square(
            got_covariance, covariance, "reference"
        )

    return loss


def chroma_loss(reference: torch.Tensor, *, pool: int = 1) -> Loss:
    """Mean square difference of the colours, pixel by pixel: x minus the mean of its channels.

    ``reference`` (1 or B, 3, H, W) has the size of x_0 and is aligned with it: a photo of the same
    scene, or strokes of colour. With ``pool`` > 1 only means over blocks of pool x pool pixels are
    compared. The grey part is left out: in colourisation y decides it.
    """
    check_images("reference", reference)
    pool = check_integer("pool", pool, 1)
    target = F.avg_pool2d(_chroma(reference), pool)
    return lambda x0: _mean_square(F.avg_pool2d(_chroma(x0), pool), target, "reference")


def perceptual_loss(target: torch.Tensor, *, net: str = "alex") -> Loss:
    """LPIPS distance from ``target`` (1 or B, 3, H, W), at least 32 x 32 pixels: the other l of
    Eq. 12.

    The target may be a restorer's output or a reference; with the original photo it would be an
    oracle. Raises :class:`LPIPSUnavailable` when the weights are not there, see
    :func:`deqir_lite.metrics.perceptual.lpips`.
    """
    check_images("target", target)
    check_choice("net", net, LPIPS_BACKBONES)
    if min(target.shape[-2:]) < LPIPS_SMALLEST_SIDE:
        raise ValueError(
            f"target: got {target.shape[-2]}x{target.shape[-1]} pixels; expected at least "
            f"{LPIPS_SMALLEST_SIDE}x{LPIPS_SMALLEST_SIDE}"
        )
    network = lpips_network(net)

    def loss(x0: torch.Tensor) -> torch.Tensor:
        _check_partner(x0, target, "target")
        # Not clamped, as the metric is: a clamped pixel would have no slope.
        return network.to(x0.device)(x0.float(), target.to(x0.device).float()).mean().to(x0.dtype)

    return loss


def oracle_loss(original: torch.Tensor) -> Loss:
    """Mean of (x_0 - original)^2 with the ORIGINAL PHOTO: a bound on what x_T can do, no method.

    Nobody who restores a photo has the original. It shows how much of the error the choice of x_T
    explains (the last lines of Sec. 4.2 name it as supervised training).
    """
    check_images("original", original)
    return lambda x0: _mean_square(x0, original, "original")


def _mean_square(x: torch.Tensor, target: torch.Tensor, name: str) -> torch.Tensor:
    _check_partner(x, target, name)
    return (x - target.to(x)).square().mean()


def _check_partner(x: torch.Tensor, target: torch.Tensor, name: str) -> None:
    if target.shape[1:] != x.shape[1:] or len(target) not in (1, len(x)):
        raise ValueError(f"{name}: got shape {tuple(target.shape)}; expected {tuple(x.shape)}")


def _chroma(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(dim=1, keepdim=True)


def _color_statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (B, 3) and covariance (B, 3, 3) of the pixels."""
    pixels = x.flatten(2)
    centred = pixels - pixels.mean(dim=2, keepdim=True)
    return pixels.mean(dim=2), centred @ centred.mT / pixels.shape[2]

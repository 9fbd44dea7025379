"""How good is a restoration: PSNR, SSIM, LPIPS, and consistency with the measurement.

All functions take images (B, 3, H, W) in [-1, 1] and return one value for each image; take
``.mean()`` for the mean of per-image values, which is what the papers' tables report.
"""

import contextlib
import functools
import math
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deqir_lite._torchvision import ensure_torchvision
from deqir_lite.checks import check_choice, check_finite, check_images, check_integer
from deqir_lite.images import to_unit_range
from deqir_lite.operators.base import LinearOperator

SSIM_WINDOW = 11
"""Pixels a side of the SSIM window, fixed by its sigma of 1.5."""

LPIPS_SMALLEST_SIDE = 32
"""Smaller images vanish in the pooling layers of the LPIPS networks."""

LPIPS_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""LPIPS network -> file name of the ImageNet weights that it needs."""

EN_DASH = "\N{EN DASH}"


class LPIPSUnavailable(RuntimeError):
    """LPIPS cannot be computed here; the message says in one line what is missing."""


def psnr(x: torch.Tensor, reference: torch.Tensor, crop_border: int = 0) -> torch.Tensor:
    r"""Peak signal-to-noise ratio, :math:`10 \log_{10}(1 / \mathrm{MSE})` in dB.

    Both are mapped from [-1, 1] to [0, 1] and clamped, so the peak is 1; the mean square error
    is over RGB and all pixels, in float64, not rounded to 8 bits. Papers differ in the border
    that they leave out: DDRM and DDNM none (the default here), the published code of DeqIR
    4 pixels on each side.

    Args:
        x: restored images (B, 3, H, W).
        reference: originals of the same shape; a single one is compared with every image.
        crop_border: pixels left out on each side.

    Returns:
        (B,) float64 on the CPU; infinity for equal images.

    Raises:
        ValueError: other shapes, NaN, or a border that leaves nothing.
    """
    from skimage.metrics import peak_signal_noise_ratio  # imports scipy.stats: half a second

    values = []
    for image, original in _pairs(x, reference, crop_border, smallest=1):
        with np.errstate(divide="ignore"):  # equal images: log of 1 / 0
            values.append(peak_signal_noise_ratio(original, image, data_range=1))
    return torch.tensor(values, dtype=torch.float64)


def ssim(x: torch.Tensor, reference: torch.Tensor, crop_border: int = 0) -> torch.Tensor:
    """Structural similarity in the convention of Wang et al. (2004), mean over R, G and B.

    On [0, 1] with peak 1, Gaussian window of 11 x 11 pixels with sigma 1.5, K1 = 0.01,
    K2 = 0.03, population covariances; averaged where the window lies inside the image. It is
    scikit-image's ``structural_similarity`` with those options, and agrees with BasicSR, which
    the published code of DeqIR uses with ``crop_border`` = 4 there.

    Args, returns and errors as for ``psnr``; images must have 11 pixels a side at least.
    """
    from skimage.metrics import structural_similarity

    values = [
        structural_similarity(
            original,
            image,
            data_range=1,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for image, original in _pairs(x, reference, crop_border, smallest=SSIM_WINDOW)
    ]
    return torch.tensor(values, dtype=torch.float64)


def consistency(operator: LinearOperator, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    r"""Distance of each image from its measurement, :math:`\lVert A x - y \rVert_2`.

    Args:
        operator: anything with ``A``.
        x: images (B, 3, H, W) in [-1, 1], not clamped: a clamp would hide an inconsistency.
        y: measurements of the shape of A x; a single one serves every image.

    Returns (B,) in the dtype and on the device of x. Raises ValueError when shapes differ.
    """
    check_images("x", x)
    check_finite("y", y)
    measured = operator.A(x)
    if y.shape[1:] != measured.shape[1:] or y.shape[0] not in (1, measured.shape[0]):
        raise ValueError(f"y: got shape {tuple(y.shape)}; expected {tuple(measured.shape)}")
    return (measured - y).flatten(1).norm(dim=1)


def lpips(
    x: torch.Tensor, reference: torch.Tensor, net: str = "alex", download: bool = False
) -> torch.Tensor:
    """Learned perceptual image patch similarity (Zhang et al., 2018); smaller is more alike.

    Needs ImageNet weights that the lpips package does not carry. They are used when they lie in
    torch's hub folder, and fetched only with ``download``: nothing here waits for a network
    unasked.

    Args:
        x: restored images (B, 3, H, W), clamped to [-1, 1], at least 32 x 32 pixels.
        reference: originals of the same shape; a single one is compared with every image.
        net: "alex" (the authors' choice), "vgg" (the published code of DeqIR) or "squeeze".
        download: fetch missing weights (alex 233 MB, vgg 528 MB, squeeze 5 MB) from pytorch.org.

    Returns:
        (B,) float64 on the CPU.

    Raises:
        LPIPSUnavailable: package or weights are missing, or the weights cannot be read.
        ValueError: wrong shapes, NaN, or an unknown ``net``.
    """
    check_choice("net", net, LPIPS_BACKBONES)
    reference = _same_batch(x, reference)
    _check_smallest(x, 0, LPIPS_SMALLEST_SIDE)
    weights = lpips_weights_path(net)
    if download and not weights.is_file():
        _download(net, weights)
    network = _lpips_network(net, weights).to(x.device)
    with torch.no_grad():
        # One pair at a time: the network's features are far larger than the images.
        values = [
            network(a.clamp(-1, 1), b.clamp(-1, 1)).flatten()
            for a, b in zip(x.float().split(1), reference.float().split(1), strict=True)
        ]
    return torch.cat(values).double().cpu()


def lpips_or_none(
    x: torch.Tensor, reference: torch.Tensor, net: str = "alex"
) -> torch.Tensor | None:
    """Return ``lpips``, or None where it is unavailable: for tables, with ``format_value``."""
    try:
        return lpips(x, reference, net)
    except LPIPSUnavailable:
        return None


def format_value(value: float | torch.Tensor | None, spec: str = ".2f") -> str:
    """Write one number for a table: an en dash for None and NaN, the mean of a vector."""
    if isinstance(value, torch.Tensor):
        value = float(value.double().mean())
    if value is None or math.isnan(value):
        return EN_DASH
    return format(value, spec)


def lpips_weights_path(net: str = "alex") -> Path:
    """Return where the weights of ``net`` belong: TORCH_HOME/hub/checkpoints/NAME.pth."""
    check_choice("net", net, LPIPS_BACKBONES)
    return Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_BACKBONES[net]


@functools.lru_cache(maxsize=1)  # one network: 10 to 60 MB each
def _lpips_network(net: str, weights: Path) -> Any:
    if not weights.is_file():
        raise LPIPSUnavailable(
            f"LPIPS needs {weights}: download https://download.pytorch.org/models/{weights.name} "
            "to that place, or call lpips(..., download=True) once; PSNR and SSIM need no weights"
        )
    ensure_torchvision()
    try:
        import lpips as package
    except ImportError as error:
        raise LPIPSUnavailable(
            f"LPIPS needs the packages lpips and torchvision ({error}): pip install lpips"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips calls torchvision by its old argument names
            return package.LPIPS(net=net, verbose=False).eval().requires_grad_(False)
    except Exception as error:  # unpickling a damaged file can raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LPIPSUnavailable(
            f"LPIPS cannot read {weights} ({reason}): delete it and download it again"
        ) from error


def _download(net: str, weights: Path) -> None:
    """Fetch the weights; the file appears only when it is whole and its hash is right."""
    url = f"https://download.pytorch.org/models/{LPIPS_BACKBONES[net]}"
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        with _socket_timeout(30):
            torch.hub.download_url_to_file(url, str(weights), weights.stem.rsplit("-", 1)[1])
    except Exception as error:  # no network, no space, a wrong hash: the same advice serves
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LPIPSUnavailable(f"LPIPS: {url} -> {weights} failed ({reason})") from error


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torch.hub sets no timeout: without one, a dead connection would hang for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _same_batch(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Check both and return the reference with the batch size of x."""
    check_images("x", x)
    check_images("reference", reference)
    if reference.shape[1:] != x.shape[1:] or reference.shape[0] not in (1, x.shape[0]):
        raise ValueError(
            f"reference: got shape {tuple(reference.shape)}; expected {tuple(x.shape)}"
        )
    return reference.expand_as(x)


def _check_smallest(x: torch.Tensor, crop_border: int, smallest: int) -> None:
    left = min(x.shape[-2:]) - 2 * crop_border
    if left < smallest:
        raise ValueError(
            f"x: {x.shape[-2]}x{x.shape[-1]} pixels less a border of {crop_border}; "
            f"expected at least {smallest}x{smallest}"
        )


def _pairs(
    x: torch.Tensor, reference: torch.Tensor, crop_border: int, smallest: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (image, original) as float64 arrays (H, W, 3) in [0, 1], cropped."""
    check_integer("crop_border", crop_border, minimum=0)
    reference = _same_batch(x, reference)
    _check_smallest(x, crop_border, smallest)
    rows = slice(crop_border, x.shape[-2] - crop_border)
    columns = slice(crop_border, x.shape[-1] - crop_border)
    both = [
        to_unit_range(batch.detach().double().cpu())[..., rows, columns].movedim(1, -1).numpy()
        for batch in (x, reference)
    ]
    yield from zip(*both, strict=True)

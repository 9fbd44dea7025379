"""LPIPS: how alike do two images look to a network?"""

import contextlib
import functools
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from deqir_lite.checks import check_choice
from deqir_lite.metrics.fidelity import check_range, check_smallest, same_batch
from deqir_lite.metrics.hub_weights import hash_in, hub_path, weights_only, wrong_hash

LPIPS_SMALLEST_SIDE = 32
"""Smaller images vanish in the pooling layers of the LPIPS networks."""


LPIPS_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""LPIPS network -> file name of the ImageNet weights that it needs."""


class LPIPSUnavailable(RuntimeError):
    """LPIPS cannot be computed here; the message says in one line what is missing."""


def lpips(
    x: torch.Tensor, reference: torch.Tensor, *, net: str = "alex", download: bool = False
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
        LPIPSUnavailable: package or weights are missing, or the weights are not those that their
            name promises. No code of theirs is run.
        ValueError: wrong shapes, NaN, values of another range, or an unknown ``net``.
    """
    check_choice("net", net, LPIPS_BACKBONES)
    reference = same_batch(x, reference)
    check_range(x, reference, (-1, 1))
    check_smallest(x, 0, LPIPS_SMALLEST_SIDE)
    weights = lpips_weights_path(net)
    if download and not weights.is_file():
        _download(net, weights)
    network = lpips_network(net).to(x.device)
    with torch.no_grad():
        # One pair at a time: the network's features are far larger than the images.
        values = [
            network(a.clamp(-1, 1), b.clamp(-1, 1)).flatten()
            for a, b in zip(x.float().split(1), reference.float().split(1), strict=True)
        ]
    return torch.cat(values).double().cpu()


def lpips_weights_path(net: str = "alex") -> Path:
    """Return where the weights of ``net`` belong: TORCH_HOME/hub/checkpoints/NAME.pth."""
    check_choice("net", net, LPIPS_BACKBONES)
    return hub_path(LPIPS_BACKBONES[net])


def lpips_network(net: str = "alex") -> Any:
    """The network behind ``lpips``, in evaluation mode; raises LPIPSUnavailable as it does."""
    return _load(net, lpips_weights_path(net))


@functools.lru_cache(maxsize=1)  # one network: 10 to 60 MB each
def _load(net: str, weights: Path) -> Any:
    try:
        import lpips as package
    except ImportError as error:
        raise LPIPSUnavailable(
            f"LPIPS needs the package lpips ({error}): pip install 'deqir-lite[lpips]'"
        ) from error
    if not weights.is_file():
        raise LPIPSUnavailable(
            f"LPIPS needs {weights}: download https://download.pytorch.org/models/{weights.name} "
            "to that place, or call lpips(..., download=True) once; PSNR and SSIM need no weights"
        )
    if wrong := wrong_hash(weights):
        raise LPIPSUnavailable(
            f"LPIPS cannot read {weights}: {wrong}: delete it and download it again"
        )
    try:
        with warnings.catch_warnings(), weights_only():
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
            torch.hub.download_url_to_file(url, str(weights), hash_in(weights))
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

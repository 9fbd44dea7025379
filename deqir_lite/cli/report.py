"""The numbers of a restoration: quality, and two lines on the terminal."""

from typing import Any

import torch
import typer

from deqir_lite.metrics import SSIM_WINDOW, format_value, psnr, ssim


def quality(
    truth: torch.Tensor, before: torch.Tensor, after: torch.Tensor
) -> dict[str, float | None]:
    """PSNR and SSIM of the pseudo-inverse and of the restored picture; None where too small."""
    large = min(truth.shape[-2:]) >= SSIM_WINDOW
    return {
        "psnr_before": float(psnr(before, truth)),
        "psnr_after": float(psnr(after, truth)),
        "ssim_before": float(ssim(before, truth)) if large else None,
        "ssim_after": float(ssim(after, truth)) if large else None,
    }


def print_report(numbers: dict[str, Any]) -> None:
    """What was gained, where the truth is known, and what it took."""
    for name, digits, unit in (("psnr", ".2f", " dB"), ("ssim", ".3f", "")):
        if f"{name}_after" in numbers:
            before, after = (
                format_value(numbers[f"{name}_{when}"], digits) for when in ("before", "after")
            )
            typer.echo(f"{name.upper()}  {before:>6}{unit} -> {after:>6}{unit}")
    done = "sweeps" if numbers["method"] == "deqir" else "steps"
    typer.echo(
        f"{numbers['sweeps']} {done if numbers['sweeps'] != 1 else done[:-1]}, "
        f"{numbers['nfe']} network evaluations (nfe), {numbers['seconds']:.2f} s, "
        f"||A x - y|| = {numbers['consistency']:.1e}"
        + ("" if numbers["converged"] else ", NOT converged")
    )

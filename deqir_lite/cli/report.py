"""What ``restore`` says: its numbers in a few lines, a sheet of samples, help against memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import typer
from PIL import Image

from deqir_lite.images import side_by_side
from deqir_lite.metrics import format_value
from deqir_lite.operators.mask_files import MaskFile

_IN_A_ROW = 8


def print_report(numbers: dict[str, Any], holes: MaskFile | None, files: Iterable[Path]) -> None:
    """What was gained, where the truth is known, what it took, and what lies where."""
    samples, simple = numbers["samples"], numbers["simple"]
    if not numbers["measured"]:
        _print_quality(numbers, "psnr", ".2f", " dB")
        _print_quality(numbers, "ssim", ".3f", "")
        if samples == 1 and numbers["psnr_after"] < numbers["psnr_simple"]:
            typer.echo(
                f"The sample has a lower PSNR than {simple}, as it invents what nobody can know; "
                "a mean of samples (--samples 8) lies nearer to the photo."
            )
    if samples > 1:
        typer.echo(
            f"standard deviation of the {samples} samples: white is "
            f"{numbers['deviation_white']:.1f} of 255 levels"
        )
    typer.echo(
        f"{numbers['method']}, T = {numbers['timesteps']}, {numbers['spacing']}, "
        f"{numbers['rule']}, sigma_y = {numbers['sigma_y']:.3g}"
    )
    done = "sweeps" if numbers["sampler"] == "parallel" else "steps"
    typer.echo(
        f"{numbers['sweeps']} {done if numbers['sweeps'] != 1 else done[:-1]}, "
        f"{numbers['nfe']} network evaluations (nfe), {numbers['seconds']:.2f} s, "
        f"||A x - y|| = {numbers['consistency']:.1e}"
        + ("" if numbers["converged"] else ", NOT converged")
    )
    typer.echo(numbers["plan"])
    if holes is not None:
        typer.echo(f"mask: {holes.describe()}")
    typer.echo("\n".join(map(str, files)))


def _print_quality(numbers: dict[str, Any], name: str, digits: str, unit: str) -> None:
    def shown(image: str) -> str:
        return format_value(numbers[f"{name}_{image}"], spec=digits) + unit

    line = (
        f"{name.upper()}  pseudo-inverse {shown('before')}, {numbers['simple']} {shown('simple')}, "
        f"restored {shown('after')}"
    )
    if (samples := numbers["samples"]) > 1:
        line += f" (average of {samples}: {shown('average')}, mean of {samples}: {shown('mean')})"
    typer.echo(line)


def deviation_picture(samples: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The standard deviation of samples (N, 3, H, W) in grey, and what white is of 255 levels."""
    deviation = samples.var(dim=0).mean(dim=0, keepdim=True).sqrt()
    white = float(deviation.max())
    return 2 * deviation / (white or 1) - 1, white * 255 / 2


def sample_sheet(samples: torch.Tensor, seed: int) -> Image.Image:
    """All samples (N, 3, H, W) over their seeds, which begin at ``seed``, 8 in a row."""
    labels = [f"seed {seed + k}" for k in range(len(samples))]
    rows = [
        side_by_side(list(samples[k : k + _IN_A_ROW]), labels[k : k + _IN_A_ROW])
        for k in range(0, len(samples), _IN_A_ROW)
    ]
    height = rows[0].height
    sheet = Image.new("RGB", (rows[0].width, height * len(rows)), "white")
    for k, row in enumerate(rows):
        sheet.paste(row, (0, k * height))
    return sheet


def memory_advice(
    picture: torch.Tensor,
    timesteps: int | None,
    samples: int,
    measured: bool,
    sampler: str,
    max_batch: int | None,
) -> str:
    """What to say when memory runs out: the size of the work, and what makes it smaller."""
    height, width = picture.shape[-2:]
    helps = ["a smaller photo" if measured else f"a --size below {min(height, width)}"]
    helps += (
        ["--max-batch 1"] if (sampler != "sequential" or samples > 1) and max_batch != 1 else []
    )
    helps += ["fewer --samples"] if samples > 1 else []
    helps += ["fewer --timesteps"] if timesteps != 1 else []
    helps += ["--sampler sequential"] if sampler != "sequential" else []
    return (
        f"out of memory with {f'{samples} samples of ' if samples > 1 else ''}a photo of "
        f"{width}x{height} pixels{f' and T = {timesteps}' if timesteps else ''}; "
        f"less is needed with {', '.join(helps)}"
    )

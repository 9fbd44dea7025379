"""What ``restore`` and ``demo`` say: their numbers in a few lines, and the sheet of samples."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import typer
from PIL import Image

from deqir_lite._files import printable
from deqir_lite.images import save_image, side_by_side
from deqir_lite.metrics import format_value

_IN_A_ROW = 8

_WORDS = {
    "grey": "the grey photo",
    "bicubic": "bicubic enlargement",
    "biharmonic": "smoothly filled holes",
    "biharm.": "smoothly filled holes",
    "A⁺y": "the pseudo-inverse",
}
"""What tables call the simple answers."""


def print_demo(numbers: dict[str, Any], remarks: Iterable[str]) -> None:
    """What was simulated, and how near to the photo the answers come."""
    channels, *grid = numbers["measured"]
    shape = size_text(grid) if len(grid) == 2 else f"{channels} values"
    typer.echo(
        f"simulated: {numbers['simulated']}; {numbers['photo']}, {size_text(numbers['size'])} -> "
        f"{shape}{', grey' if channels == 1 and len(grid) == 2 else ''}, "
        f"noise {numbers['sigma_y']:.3g}"
    )
    for remark in remarks:
        typer.echo(remark)
    simple = in_words(numbers["simple"], y="the degraded photo")
    _print_quality(numbers, simple, "psnr", ".2f", " dB")
    _print_quality(numbers, simple, "ssim", ".3f", "")
    if numbers["samples"] == 1 and numbers["psnr_after"] < numbers["psnr_simple"]:
        typer.echo(
            f"The sample has a lower PSNR than {simple}, as it invents what nobody can "
            "know; a mean of samples (--samples 8) lies nearer to the photo."
        )


def print_damage(numbers: dict[str, Any], remarks: Iterable[str]) -> None:
    """What was restored of what damage, and how much more that is than the simple answer."""
    typer.echo(
        f"{printable(numbers['photo'])}: {size_text(numbers['size'])} -> "
        f"{size_text(numbers['restored_size'])}, {numbers['damage']}"
    )
    for remark in remarks:
        typer.echo(remark)
    difference = numbers["differs_from_simple"]
    if difference is not None:
        typer.echo(
            f"simple answer: {in_words(numbers['simple'], y='the photo as it came')}, from which "
            "the restored photo differs by "
            f"{difference * 255 / 2:.1f} of 255 levels (RMS)"
        )


def print_work(numbers: dict[str, Any], files: Iterable[Path]) -> None:
    """How it was done, what it took, and what lies where."""
    if numbers["samples"] > 1:
        typer.echo(
            f"standard deviation of the {numbers['samples']} samples: white is "
            f"{numbers['deviation_white']:.1f} of 255 levels"
        )
    typer.echo(
        f"{numbers['method']}, T = {numbers['timesteps']}, {numbers['spacing']}, "
        f"{_parameters(numbers['rule'])}, sigma_y = {numbers['sigma_y']:.3g}"
    )
    done = "steps" if numbers["sampler"] == "sequential" else "sweeps"
    typer.echo(
        f"{numbers['sweeps']} {done if numbers['sweeps'] != 1 else done[:-1]}, "
        f"{numbers['nfe']} network evaluations (nfe), {numbers['seconds']:.2f} s, "
        f"||A x - y|| = {numbers['consistency']:.1e}"
        + ("" if numbers["converged"] else ", NOT converged")
    )
    typer.echo(numbers["plan"])
    typer.echo("\n".join(map(str, files)))


def _parameters(rule: str) -> str:
    """The numbers of a noise rule without its name; of one that has none, the name."""
    name, _, inside = rule.rstrip(")").partition("(")
    return inside.replace("=", " = ") or name


def size_text(size: Sequence[int]) -> str:
    """(H, W) as WIDTHxHEIGHT."""
    return f"{size[1]}x{size[0]}"


def in_words(simple: str, *, y: str) -> str:
    """What a simple answer is, by its name in tables; ``y``: what the measurement is, where that
    is the answer."""
    return ", ".join(({"y": y} | _WORDS).get(part, part) for part in simple.split(", "))


def _print_quality(numbers: dict[str, Any], simple: str, name: str, digits: str, unit: str) -> None:
    def shown(image: str) -> str:
        return format_value(numbers[f"{name}_{image}"], spec=digits) + unit

    line = f"{name.upper()}  pseudo-inverse {shown('before')}, "
    if numbers["simple"] != "A⁺y":  # which is just that
        line += f"{simple} {shown('simple')}, "
    line += f"restored {shown('after')}"
    if (samples := numbers["samples"]) > 1:
        line += f" (average of {samples}: {shown('average')}, mean of {samples}: {shown('mean')})"
    typer.echo(line)


def write_samples(samples: torch.Tensor, seed: int, files: Sequence[Path]) -> float:
    """Write the sheet of samples (N, 3, H, W) and the picture of their deviation; what white is in
    that, of 255 levels."""
    deviation, white = _deviation_picture(samples)
    sheet, picture = files
    save_image(sheet, _sample_sheet(samples, seed))
    save_image(picture, deviation)
    return white


def _deviation_picture(samples: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The standard deviation of samples (N, 3, H, W) in grey, and what white is of 255 levels."""
    deviation = samples.var(dim=0).mean(dim=0, keepdim=True).sqrt()
    white = float(deviation.max())
    return 2 * deviation / (white or 1) - 1, white * 255 / 2


def _sample_sheet(samples: torch.Tensor, seed: int) -> Image.Image:
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

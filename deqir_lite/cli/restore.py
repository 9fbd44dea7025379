"""``deqir-lite restore``."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from deqir_lite._files import write_atomically
from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import check_writable, choose_device, one_line_errors
from deqir_lite.fixedpoint import FORMS
from deqir_lite.images import load_photo, save_image, side_by_side
from deqir_lite.metrics import consistency, psnr, ssim
from deqir_lite.operators import TASKS, LinearOperator, make_task
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.solvers import SOLVERS, Solution

METHODS = ("deqir", "sequential")
DTYPES = ("float32", "bfloat16", "float64")


@one_line_errors
def restore(
    photo: Annotated[Path, typer.Argument(help="The photo.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The restored picture (PNG or JPEG).")],
    task: Annotated[str, typer.Option(help=f"One of: {', '.join(TASKS)}.")] = "sr4",
    method: Annotated[str, typer.Option(help="deqir (parallel) or sequential.")] = "deqir",
    timesteps: Annotated[int, typer.Option(help="T, the length of the chain.")] = 20,
    sweeps: Annotated[int | None, typer.Option(help="At most so many sweeps; default T.")] = None,
    eta: Annotated[float, typer.Option(help="Share of fresh noise, 0 to 1.")] = 0.85,
    solver: Annotated[str, typer.Option(help=f"{', '.join(SOLVERS)}.")] = "anderson-triangular",
    form: Annotated[str, typer.Option(help=f"Linear model: {', '.join(FORMS)}.")] = "gaussian",
    tolerance: Annotated[float, typer.Option(help="Relative residual to stop at.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of the noise and of random masks.")] = 0,
    size: Annotated[
        int | None, typer.Option(help="Crop to a square and shrink to this many pixels first.")
    ] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="PHOTO is degraded already: take it as y.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="Precision inside the network.")] = "float32",
    prior: Annotated[
        str, typer.Option(help="photo64, gaussian, a diffusers folder or a hub id.")
    ] = "photo64",
    report: Annotated[Path | None, typer.Option(help="Also write the numbers as JSON.")] = None,
) -> None:
    """Degrade a photo and restore it, or restore one that is degraded already.

    Writes the restored picture to OUT and, beside it, OUT-side-by-side.png.
    """
    check_choice("task", task, TASKS)
    check_choice("method", method, METHODS)
    check_choice("form", form, FORMS)
    check_choice("solver", solver, SOLVERS)
    check_choice("dtype", dtype, DTYPES)
    check_interval("eta", eta, 0.0, 1.0)
    check_integer("timesteps", timesteps, 1)
    check_integer("seed", seed, 0)
    if sweeps is not None:
        check_integer("sweeps", sweeps, 1)
    check_writable("out", out)
    if report is not None:
        check_writable("report", report)
    place = choose_device(device)
    picture = load_photo(photo, size, device=place)
    operator, y = _measure(picture, task, seed, measured)
    chain = make_chain(load_prior(prior, place, dtype), operator, y, timesteps, eta, seed)

    start = time.perf_counter()
    if method == "sequential":
        solution = restore_sequential(chain, show_progress=True)
    else:
        solution = restore_parallel(
            chain, form, solver, max_sweeps=sweeps, tolerance=tolerance, show_progress=True
        )
    restored = solution.x0.clamp(-1, 1).cpu()  # waits for the device: the time below is whole
    seconds = time.perf_counter() - start

    before = chain.consistency.pinv_y.clamp(-1, 1).cpu()
    truth = None if measured else picture.cpu()
    numbers = _numbers(truth, before, solution, chain, y, seconds)
    numbers |= {"task": task, "method": method, "timesteps": timesteps, "eta": eta, "seed": seed,
                "form": form if method == "deqir" else None, "device": str(place),
                "solver": solver if method == "deqir" else None, "prior": prior}  # fmt: skip
    pictures, labels = [before, restored], ["pseudo-inverse", "restored"]
    if truth is not None:
        pictures, labels = [truth, *pictures], ["photo", *labels]
    beside = out.with_name(f"{out.stem}-side-by-side.png")
    save_image(out, restored)
    save_image(beside, side_by_side(pictures, labels))
    if report is not None:
        write_atomically(report, (json.dumps(numbers, indent=1) + "\n").encode(), name="report")
    _print(numbers, out, beside)


def _measure(
    picture: torch.Tensor, task: str, seed: int, measured: bool
) -> tuple[LinearOperator, torch.Tensor]:
    """The operator and y: the degraded photo, or the photo itself read as a measurement."""
    size = (int(picture.shape[-2]), int(picture.shape[-1]))
    if not measured:
        operator = make_task(task, size, seed)
        return operator, operator.A(picture)
    probe = make_task(task, (64, 64), seed).measurement_shape((64, 64))
    if len(probe) != 3:
        raise ValueError(
            f"measured: the measurements of {task} are no picture that a file can hold"
        )
    factor = 64 // probe[-1]
    operator = make_task(task, (size[0] * factor, size[1] * factor), seed)
    y = picture.mean(dim=1, keepdim=True) if probe[0] == 1 else picture
    if factor == 1:  # holes and a truncated spectrum: only the measurable part of the file counts
        y = operator.A(operator.pinv(y))
    return operator, y


def _numbers(
    truth: torch.Tensor | None,
    before: torch.Tensor,
    solution: Solution,
    chain: RestorationChain,
    y: torch.Tensor,
    seconds: float,
) -> dict[str, Any]:
    operator = chain.consistency.operator
    assert isinstance(operator, LinearOperator)
    numbers: dict[str, Any] = {
        "sweeps": solution.sweeps,
        "nfe": solution.nfe,
        "converged": solution.converged,
        "seconds": seconds,
        "consistency": float(consistency(operator, solution.x0, y).mean()),
    }
    if truth is not None:
        after = solution.x0.clamp(-1, 1).cpu()
        numbers |= {
            "psnr_before": float(psnr(before, truth).mean()),
            "psnr_after": float(psnr(after, truth).mean()),
            "ssim_before": float(ssim(before, truth).mean()),
            "ssim_after": float(ssim(after, truth).mean()),
        }
    return numbers


def _print(numbers: dict[str, Any], out: Path, beside: Path) -> None:
    if "psnr_after" in numbers:
        typer.echo(f"PSNR  {numbers['psnr_before']:6.2f} dB -> {numbers['psnr_after']:6.2f} dB")
        typer.echo(f"SSIM  {numbers['ssim_before']:6.3f}    -> {numbers['ssim_after']:6.3f}")
    typer.echo(
        f"{numbers['sweeps']} sweeps, {numbers['nfe']} network evaluations (nfe), "
        f"{numbers['seconds']:.2f} s, ||A x - y|| = {numbers['consistency']:.1e}"
        + ("" if numbers["converged"] else ", NOT converged")
    )
    typer.echo(f"{out}\n{beside}")

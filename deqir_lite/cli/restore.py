"""``deqir-lite restore``."""

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite.bundled import mask_names
from deqir_lite.chain import make_chain
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import (
    check_seed,
    check_timesteps,
    check_writable,
    one_line_errors,
)
from deqir_lite.cli.measure import mask_file, measure
from deqir_lite.cli.report import print_report, quality
from deqir_lite.fixedpoint import FORMS
from deqir_lite.images import PICTURE_ENDINGS, load_photo, save_image, side_by_side
from deqir_lite.machine import choose_device
from deqir_lite.memory import explaining_memory
from deqir_lite.metrics import consistency
from deqir_lite.operators import TASKS
from deqir_lite.operators.masks import load_mask
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.solvers import SOLVERS

METHODS = ("deqir", "sequential")
DTYPES = ("float32", "bfloat16", "float64")

_PHOTO, _CHAIN, _SOLVER, _OUTPUT = "Photo", "Chain", "Solver (--method deqir)", "Output"


def _option(panel: str, help: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel)


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


@one_line_errors
def restore(
    photo: Annotated[
        Path, typer.Argument(help="The photo, of 8 pixels a side at least.", readable=False)
    ],
    out: Annotated[
        Path,
        _option(_OUTPUT, f"The restored picture ({_names(PICTURE_ENDINGS)}).", "-o", "--out"),
    ],
    report: Annotated[Path | None, _option(_OUTPUT, "Also write the numbers as JSON.")] = None,
    task: Annotated[str, _option(_PHOTO, f"The degradation: {_names(TASKS)}.")] = "inpaint-random",
    measured: Annotated[
        bool,
        _option(
            _PHOTO,
            "PHOTO is degraded already: it is y itself, for sr4 for example the small picture. "
            "Masks are those that --seed draws.",
            "--measured",
        ),
    ] = False,
    mask: Annotated[
        str | None,
        _option(
            _PHOTO,
            "Own mask for an inpaint or old-photo task: a picture, white = kept, as large as the "
            f"restored photo; or {_names(mask_names())}.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        _option(_PHOTO, "Crop the photo to a square and resize it to this side first, in pixels."),
    ] = None,
    seed: Annotated[int, _option(_PHOTO, "Seed of the chain's noise and of random masks.")] = 0,
    method: Annotated[
        str, _option(_CHAIN, "deqir (all timesteps at once) or sequential (step by step).")
    ] = "deqir",
    timesteps: Annotated[int, _option(_CHAIN, "T, the length of the chain.")] = 20,
    eta: Annotated[float, _option(_CHAIN, "Share of fresh noise in each step, 0 to 1.")] = 0.85,
    prior: Annotated[
        str,
        _option(
            _CHAIN,
            "photo64, gaussian, a folder made by train or fit-gaussian, a diffusers folder or hub "
            "id (owner/name), or module:function or file.py:function of your own.",
        ),
    ] = "photo64",
    device: Annotated[str, _option(_CHAIN, "auto, cpu, cuda or mps.")] = "auto",
    dtype: Annotated[str, _option(_CHAIN, f"Inside the network: {_names(DTYPES)}.")] = "float32",
    max_batch: Annotated[
        int | None,
        _option(_CHAIN, "Images through the network at once; fewer need less memory. Default all."),
    ] = None,
    sweeps: Annotated[int | None, _option(_SOLVER, "At most so many sweeps; default T.")] = None,
    form: Annotated[str, _option(_SOLVER, f"Linear model: {_names(FORMS)}.")] = "gaussian",
    solver: Annotated[str, _option(_SOLVER, f"One of {_names(SOLVERS)}.")] = "anderson-triangular",
    tolerance: Annotated[
        float, _option(_SOLVER, "Largest relative residual of any state to stop at.")
    ] = 1e-3,
) -> None:
    """Degrade a photo and restore it, or restore one that is degraded already.

    Writes the restored picture to OUT and, beside it, OUT-side-by-side.png.
    Prints the quality of the pseudo-inverse and of the restored picture, and the cost.
    """
    check_choice("task", task, TASKS)
    check_choice("method", method, METHODS)
    check_choice("form", form, FORMS)
    check_choice("solver", solver, SOLVERS)
    check_choice("dtype", dtype, DTYPES)
    check_interval("eta", eta, 0.0, 1.0)
    check_interval("tolerance", tolerance, 0.0, math.inf)
    check_integer("timesteps", timesteps, 1)
    check_seed(seed)
    for name, value in (("sweeps", sweeps), ("max-batch", max_batch)):
        if value is not None:
            check_integer(name, value, 1)
    if measured and size is not None:
        raise ValueError("size: got it with --measured; a measurement is taken as it is")
    beside = out.with_name(f"{out.stem}-side-by-side.png")
    _check_outputs(photo, out, beside, report)
    place = choose_device(device)
    picture = load_photo(photo, size)
    holes = None if mask is None else load_mask(mask_file(mask), size)
    model = load_prior(prior, place, dtype, max_batch)
    check_timesteps(timesteps, model.schedule.num_train_timesteps)
    divisor = getattr(model, "size_divisor", 1)
    parallel = method == "deqir"
    with explaining_memory(_out_of_memory(picture, timesteps, measured, parallel, max_batch)):
        operator, y = measure(picture.to(place), task, seed, measured, divisor, holes)
        chain = make_chain(model, operator, y, timesteps, eta, seed)
        start = time.perf_counter()
        if parallel:
            solution = restore_parallel(
                chain, form, solver, max_sweeps=sweeps, tolerance=tolerance, show_progress=True
            )
        else:
            solution = restore_sequential(chain, show_progress=True)
        restored = solution.x0.clamp(-1, 1).cpu()  # waits for the device: the time below is whole
        seconds = time.perf_counter() - start

    before = chain.consistency.pinv_y.clamp(-1, 1).cpu()
    numbers: dict[str, Any] = {
        "photo": str(photo),
        "task": task,
        "mask": mask,
        "measured": measured,
        "size": list(restored.shape[-2:]),
        "seed": seed,
        "method": method,
        "timesteps": timesteps,
        "eta": eta,
        "prior": prior,
        "device": str(place),
        "dtype": dtype,
        "form": form if parallel else None,
        "solver": solver if parallel else None,
        "tolerance": tolerance if parallel else None,
        "sweeps": solution.sweeps,
        "nfe": solution.nfe,
        "converged": solution.converged,
        "seconds": seconds,
        "consistency": float(consistency(operator, solution.x0, y).mean()),
    }
    if not measured:
        numbers |= quality(picture, before, restored)
    shown = side_by_side(
        [picture, before, restored],
        ["measured" if measured else "photo", "pseudo-inverse", "restored"],
    )
    save_image(out, restored)
    save_image(beside, shown)
    if report is not None:
        write_atomically(report, to_json(numbers).encode(), name="report")
    print_report(numbers)
    typer.echo(f"{out}\n{beside}" + (f"\n{report}" if report is not None else ""))


def _out_of_memory(
    picture: Tensor, timesteps: int, measured: bool, parallel: bool, max_batch: int | None
) -> str:
    """What to say when memory runs out: the size of the work, and what makes it smaller."""
    height, width = picture.shape[-2:]
    helps = ["a smaller photo" if measured else f"a --size below {min(height, width)}"]
    helps += ["--max-batch 1"] if parallel and max_batch != 1 else []
    helps += ["fewer --timesteps"] if timesteps > 1 else []
    helps += ["--method sequential"] if parallel else []
    return (
        f"out of memory with a photo of {width}x{height} pixels and T = {timesteps}; "
        f"less is needed with {', '.join(helps)}"
    )


def _check_outputs(photo: Path, out: Path, beside: Path, report: Path | None) -> None:
    """Refuse, before the work, what could not be written or would overwrite the photo."""
    check_choice("ending of out", out.suffix.lower(), PICTURE_ENDINGS)
    files = {photo.resolve(): "the photo"}
    for name, path in (("out", out), ("out", beside), ("report", report)):
        if path is None:
            continue
        check_writable(name, path)
        if path.resolve() in files:
            raise ValueError(f"{name}: {str(path)!r} is {files[path.resolve()]}; take another name")
        files[path.resolve()] = "another output of this command"

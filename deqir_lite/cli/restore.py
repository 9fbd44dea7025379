"""``deqir-lite restore``."""

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL.Image import Image
from torch import Tensor

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite.baselines import simple_answer
from deqir_lite.bundled import mask_names
from deqir_lite.chain import PRESETS, make_chain
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import (
    check_seed,
    check_timesteps,
    check_writable,
    one_line_errors,
    read_spacing,
)
from deqir_lite.cli.measure import mask_file, measure
from deqir_lite.cli.report import print_report, quality, sample_sheet
from deqir_lite.device import choose_device
from deqir_lite.fixedpoint import FORMS
from deqir_lite.images import PICTURE_ENDINGS, load_photo, save_image, side_by_side
from deqir_lite.memory import explaining_memory
from deqir_lite.metrics import measurement_consistency
from deqir_lite.operators import TASKS
from deqir_lite.operators.masks import load_mask
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.schedule import SPACINGS
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
        _option(
            _OUTPUT,
            f"The restored picture, the mean of the samples ({_names(PICTURE_ENDINGS)}).",
            "-o",
            "--out",
        ),
    ],
    report: Annotated[Path | None, _option(_OUTPUT, "Also write the numbers as JSON.")] = None,
    task: Annotated[str, _option(_PHOTO, f"The degradation: {_names(TASKS)}.")] = "inpaint-random",
    measured: Annotated[
        bool,
        _option(
            _PHOTO,
            "PHOTO is degraded already: it is y itself, for sr4 for example the small picture. "
            "Random masks are those of --mask-seed.",
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
    mask_seed: Annotated[int, _option(_PHOTO, "Seed of random masks.")] = 0,
    seed: Annotated[int, _option(_CHAIN, "Seed of the chain's noise.")] = 0,
    method: Annotated[
        str, _option(_CHAIN, "deqir (all timesteps at once) or sequential (step by step).")
    ] = "deqir",
    samples: Annotated[
        int,
        _option(
            _CHAIN,
            "Restore the photo so many times at once, with noise of the seeds --seed and up: OUT "
            "is the mean, beside it lie the samples and their standard deviation.",
        ),
    ] = 1,
    preset: Annotated[
        str,
        _option(
            _CHAIN,
            "Defaults of the next three: "
            + _names(
                f"{name} (T = {chain['num_steps']}, eta = {chain['eta']:g}, {chain['spacing']})"
                for name, chain in PRESETS.items()
            ),
        ),
    ] = "picture",
    timesteps: Annotated[
        int | None, _option(_CHAIN, "T, the length of the chain; default of the preset.")
    ] = None,
    eta: Annotated[
        float | None,
        _option(_CHAIN, "Share of fresh noise in each step, 0 to 1; default of the preset."),
    ] = None,
    spacing: Annotated[
        str | None,
        _option(
            _CHAIN,
            f"Of the timesteps: {_names(SPACINGS)}, or an exponent >= 1 (the larger, the more "
            "steps at low noise); default of the preset.",
        ),
    ] = None,
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

    Writes the restored picture to OUT and, beside it, OUT-side-by-side.png; with --samples also
    OUT-samples.png and OUT-deviation.png. Prints the quality of the pseudo-inverse, of the usual
    answer without a prior and of the restored picture, and the cost.
    """
    check_choice("task", task, TASKS)
    check_choice("method", method, METHODS)
    check_choice("form", form, FORMS)
    check_choice("solver", solver, SOLVERS)
    check_choice("dtype", dtype, DTYPES)
    check_choice("preset", preset, PRESETS)
    settings = PRESETS[preset]
    timesteps = settings["num_steps"] if timesteps is None else timesteps
    eta = settings["eta"] if eta is None else eta
    grid = settings["spacing"] if spacing is None else read_spacing(spacing)
    check_interval("eta", eta, 0.0, 1.0)
    check_interval("tolerance", tolerance, 0.0, math.inf)
    check_integer("timesteps", timesteps, 1)
    check_integer("samples", samples, 1)
    check_seed(seed)
    check_seed(seed + samples - 1)
    check_seed(mask_seed, "mask-seed")
    for name, value in (("sweeps", sweeps), ("max-batch", max_batch)):
        if value is not None:
            check_integer(name, value, 1)
    if measured and size is not None:
        raise ValueError("size: got it with --measured; a measurement is taken as it is")
    beside = ["side-by-side", *(["samples", "deviation"] if samples > 1 else [])]
    files = [out, *(out.with_name(f"{out.stem}-{name}.png") for name in beside)]
    files += [] if report is None else [report]
    _check_outputs(photo, files, report)
    place = choose_device(device)
    picture = load_photo(photo, size=size)
    holes = None if mask is None else load_mask(mask_file(mask), size=size)
    model = load_prior(prior, place, dtype, max_batch)
    check_timesteps(timesteps, model.schedule.num_train_timesteps)
    divisor = getattr(model, "size_divisor", 1)
    parallel = method == "deqir"
    with explaining_memory(
        _out_of_memory(picture, timesteps, samples, measured, parallel, max_batch)
    ):
        operator, y = measure(picture.to(place), task, mask_seed, measured, divisor, holes)
        chain = make_chain(
            model,
            operator,
            y,
            num_steps=timesteps,
            eta=eta,
            seed=seed,
            spacing=grid,
            samples=samples,
        )
        start = time.perf_counter()
        if parallel:
            solution = restore_parallel(
                chain,
                form=form,
                solver=solver,
                max_sweeps=sweeps,
                tolerance=tolerance,
                show_progress=True,
            )
        else:
            solution = restore_sequential(chain, show_progress=True)
        x0 = solution.x0.cpu()  # waits for the device: the time below is whole
        seconds = time.perf_counter() - start

    before = chain.measurement.pinv_y[:1].clamp(-1, 1).cpu()
    name, simple = simple_answer(operator, y)
    name = name.replace("⁺", "+")  # Pillow's font and some terminals lack it
    simple = simple.clamp(-1, 1).cpu()
    draws, restored = x0.clamp(-1, 1), x0.mean(dim=0, keepdim=True).clamp(-1, 1)
    numbers: dict[str, Any] = {
        "photo": str(photo),
        "task": task,
        "mask": mask,
        "measured": measured,
        "size": list(restored.shape[-2:]),
        "mask_seed": mask_seed,
        "seed": seed,
        "samples": samples,
        "method": method,
        "timesteps": timesteps,
        "eta": eta,
        "spacing": grid,
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
        "consistency": float(measurement_consistency(operator, solution.x0, y).mean()),
        "simple": name,
    }
    images = {"before": before, "simple": simple, "after": draws[:1]}
    labels = ["measured" if measured else "photo", "pseudo-inverse", name, "restored"]
    written: list[Tensor | Image] = [restored]
    if samples > 1:
        images["mean"] = restored
        labels.append(f"mean of {samples}")
        deviation = draws.var(dim=0).mean(dim=0, keepdim=True).sqrt()
        white = float(deviation.max())
        numbers["deviation_white"] = white * 255 / 2
        written += [sample_sheet(draws, seed), 2 * deviation / (white or 1) - 1]
    written.insert(1, side_by_side([picture, *images.values()], labels))
    if not measured:
        numbers |= quality(picture, images | ({"average": draws} if samples > 1 else {}))
    for path, image in zip(files, written, strict=False):  # the last file may be the report
        save_image(path, image)
    if report is not None:
        write_atomically(report, to_json(numbers).encode(), name="report")
    print_report(numbers)
    typer.echo("\n".join(map(str, files)))


def _out_of_memory(
    picture: Tensor,
    timesteps: int,
    samples: int,
    measured: bool,
    parallel: bool,
    max_batch: int | None,
) -> str:
    """What to say when memory runs out: the size of the work, and what makes it smaller."""
    height, width = picture.shape[-2:]
    helps = ["a smaller photo" if measured else f"a --size below {min(height, width)}"]
    helps += ["--max-batch 1"] if (parallel or samples > 1) and max_batch != 1 else []
    helps += ["fewer --samples"] if samples > 1 else []
    helps += ["fewer --timesteps"] if timesteps > 1 else []
    helps += ["--method sequential"] if parallel else []
    return (
        f"out of memory with {f'{samples} samples of ' if samples > 1 else ''}a photo of "
        f"{width}x{height} pixels and T = {timesteps}; "
        f"less is needed with {', '.join(helps)}"
    )


def _check_outputs(photo: Path, files: list[Path], report: Path | None) -> None:
    """Refuse, before the work, what could not be written or would overwrite the photo."""
    check_choice("ending of out", files[0].suffix.lower(), PICTURE_ENDINGS)
    taken = {photo.resolve(): "the photo"}
    for path in files:
        name = "report" if path is report else "out"
        check_writable(name, path)
        if path.resolve() in taken:
            raise ValueError(f"{name}: {str(path)!r} is {taken[path.resolve()]}; take another name")
        taken[path.resolve()] = "another output of this command"

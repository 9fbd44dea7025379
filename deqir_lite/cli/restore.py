"""``deqir-lite restore``."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL.Image import Image
from torch import Tensor

from deqir_lite._json import write_json
from deqir_lite.bundled import mask_names
from deqir_lite.chain import PRESETS
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import (
    Hole,
    MaxPixels,
    check_outputs,
    check_seed,
    check_timesteps,
    names,
    one_line_errors,
    option,
    read_deviation,
    read_inputs,
    read_spacing,
)
from deqir_lite.cli.report import deviation_picture, memory_advice, print_report, sample_sheet
from deqir_lite.device import choose_device
from deqir_lite.fixedpoint import FORMS
from deqir_lite.images import PICTURE_ENDINGS, save_image, side_by_side
from deqir_lite.memory import explaining_memory
from deqir_lite.methods import METHODS
from deqir_lite.operators import TASKS
from deqir_lite.operators.mask_files import HOLES
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import (
    SAMPLERS,
    SolveOptions,
    choose,
    plan_restoration,
    pose_problem,
    restore_problem,
)
from deqir_lite.restoration.defaults import AUTO
from deqir_lite.schedule import SPACINGS
from deqir_lite.solvers import SOLVERS

DTYPES = ("float32", "bfloat16", "float64")

_PHOTO, _CHAIN, _SOLVER, _OUTPUT = "Photo", "Chain", "Solver (--sampler parallel)", "Output"


@one_line_errors
def restore(
    photo: Annotated[
        Path, typer.Argument(help="The photo, of 8 pixels a side at least.", readable=False)
    ],
    out: Annotated[
        Path,
        option(
            _OUTPUT,
            f"The restored picture, the mean of the samples ({names(PICTURE_ENDINGS)}).",
            "-o",
            "--out",
        ),
    ],
    report: Annotated[Path | None, option(_OUTPUT, "Also write the numbers as JSON.")] = None,
    task: Annotated[str, option(_PHOTO, f"The degradation: {names(TASKS)}.")] = "inpaint-random",
    measured: Annotated[
        bool,
        option(
            _PHOTO,
            "PHOTO is degraded already: it is y itself, for sr4 for example the small picture. "
            "Random masks are those of --mask-seed.",
            "--measured",
        ),
    ] = False,
    mask: Annotated[
        str | None,
        option(
            _PHOTO,
            "Own mask for an inpaint or old-photo task: a picture, as large as the photo; or "
            f"{names(mask_names())}.",
        ),
    ] = None,
    hole: Hole = HOLES[0],
    max_pixels: MaxPixels = None,
    size: Annotated[
        int | None,
        option(_PHOTO, "Crop the photo to a square and resize it to this side first, in pixels."),
    ] = None,
    mask_seed: Annotated[int, option(_PHOTO, "Seed of random masks.")] = 0,
    seed: Annotated[int, option(_CHAIN, "Seed of the chain's noise.")] = 0,
    sampler: Annotated[
        str,
        option(
            _CHAIN,
            "parallel (all timesteps at once), sequential (step by step), or auto: parallel, but "
            "sequential for large photos on a CPU, or where memory is short.",
        ),
    ] = AUTO,
    method: Annotated[
        str,
        option(
            _CHAIN,
            f"How the measurement is used: {names(METHODS)}; auto takes what restores the task "
            "best, and with a preset, ddnm for the paper's.",
        ),
    ] = AUTO,
    sigma_y: Annotated[
        str,
        option(
            _PHOTO,
            "Noise in y, where a photo spans [-1, 1]; added unless --measured. auto: as much as "
            "is found in y, and none is added.",
        ),
    ] = "0",
    samples: Annotated[
        int,
        option(
            _CHAIN,
            "Restore the photo so many times at once, with noise of the seeds --seed and up: OUT "
            "is the mean, beside it lie the samples and their standard deviation.",
        ),
    ] = 1,
    preset: Annotated[
        str | None,
        option(
            _CHAIN,
            "Defaults of the next three, by default what suits the method: "
            + names(
                f"{name} (T = {chain['num_steps']}, eta = {chain['eta']:g}, {chain['spacing']})"
                for name, chain in PRESETS.items()
            ),
        ),
    ] = None,
    timesteps: Annotated[int | None, option(_CHAIN, "T, the length of the chain.")] = None,
    eta: Annotated[
        float | None, option(_CHAIN, "Share of fresh noise in each step, 0 to 1.")
    ] = None,
    spacing: Annotated[
        str | None,
        option(
            _CHAIN,
            f"Of the timesteps: {names(SPACINGS)}, or an exponent >= 1 (the larger, the more "
            "steps at low noise).",
        ),
    ] = None,
    prior: Annotated[
        str,
        option(
            _CHAIN,
            "photo64, gaussian, a folder of train or fit-gaussian, a diffusers folder or hub id "
            "(owner/name), or module:function or file.py:function of your own.",
        ),
    ] = "photo64",
    label: Annotated[int | None, option(_CHAIN, "Of a class-conditional network: which.")] = None,
    device: Annotated[str, option(_CHAIN, "auto, cpu, cuda or mps.")] = "auto",
    dtype: Annotated[str, option(_CHAIN, f"Inside the network: {names(DTYPES)}.")] = "float32",
    max_batch: Annotated[
        int | None,
        option(
            _CHAIN,
            "Images, or tiles of large ones, through the network at once. Default: as many as help "
            "and fit into memory.",
        ),
    ] = None,
    sweeps: Annotated[int | None, option(_SOLVER, "At most so many sweeps; default T.")] = None,
    form: Annotated[str, option(_SOLVER, f"Linear model: {names(FORMS)}.")] = "gaussian",
    solver: Annotated[str, option(_SOLVER, f"One of {names(SOLVERS)}.")] = "anderson-triangular",
    tolerance: Annotated[
        float, option(_SOLVER, "Largest relative residual of any state to stop at.")
    ] = 1e-3,
) -> None:
    """Degrade a photo and restore it, or restore one that is degraded already.

    Writes the restored picture to OUT and OUT-side-by-side.png; with --samples also OUT-samples.png
    and OUT-deviation.png. Prints the quality of the usual answers and of this, and the cost.
    """
    check_choice("task", task, TASKS)
    check_choice("sampler", sampler, [AUTO, *SAMPLERS])
    check_choice("method", method, [AUTO, *METHODS])
    check_choice("form", form, FORMS)
    check_choice("solver", solver, SOLVERS)
    check_choice("dtype", dtype, DTYPES)
    if preset is not None:
        check_choice("preset", preset, PRESETS)
    steps = None if spacing is None else read_spacing(spacing)
    check_interval("eta", eta or 0.0, 0.0, 1.0)
    check_interval("tolerance", tolerance, 0.0, math.inf)
    noise = read_deviation(sigma_y)
    check_integer("samples", samples, 1)
    check_seed(seed)
    check_seed(seed + samples - 1)
    check_seed(mask_seed, "mask-seed")
    for name, value in (("timesteps", timesteps), ("sweeps", sweeps), ("max-batch", max_batch)):
        if value is not None:
            check_integer(name, value, 1)
    if measured and size is not None:
        raise ValueError("size: got it with --measured; a measurement is taken as it is")
    beside = ["side-by-side", *(["samples", "deviation"] if samples > 1 else [])]
    files = [out, *(out.with_name(f"{out.stem}-{name}.png") for name in beside)]
    files += [] if report is None else [report]
    check_outputs(photo, files, report)
    place = choose_device(device)
    picture, holes = read_inputs(photo, mask, size, hole, max_pixels, measured)
    model = load_prior(prior, device=place, dtype=dtype, max_batch=max_batch, label=label)
    check_timesteps(timesteps or 1, model.schedule.num_train_timesteps)
    advice = memory_advice(picture, timesteps, samples, measured, sampler, max_batch)
    with explaining_memory(advice):
        problem = pose_problem(
            picture.to(place),
            task,
            measured=measured,
            mask=None if holes is None else holes.mask,
            mask_seed=mask_seed,
            sigma_y=noise,
        )
        chosen, settings = choose(
            problem, method=method, preset=preset, num_steps=timesteps, eta=eta, spacing=steps
        )
        plan = plan_restoration(
            problem,
            model,
            method=chosen,
            num_steps=settings["num_steps"],
            samples=samples,
            sampler=sampler,
            max_batch=max_batch,
        )
        result = restore_problem(
            problem,
            plan.prior,
            method=chosen,
            settings=settings,
            seed=seed,
            samples=samples,
            sampler=plan.sampler,
            solve=SolveOptions(
                form=form,
                solver=solver,
                max_sweeps=sweeps,
                tolerance=tolerance,
                window=plan.window,
            ),
            show_progress=True,
        )
    numbers: dict[str, Any] = {
        "photo": str(photo),
        "task": task,
        "mask": mask,
        "measured": measured,
        "size": list(result.restored.shape[-2:]),
        "mask_seed": mask_seed,
        "seed": seed,
        "samples": samples,
        "sampler": plan.sampler,
        "plan": plan.describe(),
        "prior": prior,
        "label": label,
        "device": str(place),
        "dtype": dtype,
        "form": form if plan.sampler == "parallel" else None,
        "solver": solver if plan.sampler == "parallel" else None,
        "tolerance": tolerance if plan.sampler == "parallel" else None,
    } | result.numbers()
    # Pillow's font and some terminals lack the sign
    numbers["simple"] = numbers["simple"].replace("⁺", "+")
    labels = ["measured" if measured else "photo", "pseudo-inverse", numbers["simple"], "restored"]
    labels += [f"mean of {samples}"] if samples > 1 else []
    sheet = side_by_side([picture, *result.images.values()], labels=labels)
    written: list[Tensor | Image] = [result.restored, sheet]
    if samples > 1:
        deviation, numbers["deviation_white"] = deviation_picture(result.samples)
        written += [sample_sheet(result.samples, seed), deviation]
    for path, image in zip(files, written, strict=False):  # the last file may be the report
        save_image(path, image)
    if report is not None:
        write_json(report, numbers, name="report")
    print_report(numbers, holes, files)

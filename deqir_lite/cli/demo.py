"""``deqir-lite demo``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deqir_lite import defaults
from deqir_lite.cli import options as o
from deqir_lite.cli.app import check_seed, one_line_errors, read_deviation
from deqir_lite.cli.help import option
from deqir_lite.cli.outputs import Job, check_files
from deqir_lite.cli.settings import Settings

PHOTO, TASK, SIZE = "coffee", "sr4", 128
"""What is shown where nothing is said; a bundled photo is made so small, to be quick."""


@one_line_errors
def demo(
    photo: Annotated[
        str,
        typer.Argument(
            help=f"A photo, or a bundled one by name. Default {PHOTO}.",
            metavar="[PHOTO]",
            rich_help_panel=o.PHOTO,
        ),
    ] = PHOTO,
    task: Annotated[
        str, option(o.PHOTO, f"The degradation; info lists them. Default {TASK}.", metavar="NAME")
    ] = TASK,
    mask: Annotated[
        str | None,
        option(o.PHOTO, f"Holes, if TASK has some: a file, or {o.MASKS}.", metavar="FILE"),
    ] = None,
    hole: o.Hole = defaults.HOLE,
    mask_seed: Annotated[int, option(o.PHOTO, "Seed of random masks. Default 0.", metavar="N")] = (
        defaults.MASK_SEED
    ),
    sigma_y: Annotated[
        str,
        option(
            o.PHOTO,
            "Noise to add, where white - black = 2. Default 0.",
            metavar="X|auto",
        ),
    ] = "0",
    size: Annotated[
        int | None,
        option(o.PHOTO, f"Crop and resize to N x N; bundled photos: {SIZE}.", metavar="N"),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            o.OUTPUT,
            "Default beside PHOTO, named after TASK.",
            "-o",
            "--out",
            metavar="FILE",
        ),
    ] = None,
    samples: o.Samples = defaults.SAMPLES,
    report: o.Report = None,
    method: o.Method = defaults.METHOD,
    preset: o.Preset = None,
    timesteps: o.Timesteps = None,
    eta: o.Eta = None,
    spacing: o.Spacing = None,
    sampler: o.Sampler = defaults.SAMPLER,
    seed: o.Seed = defaults.SEED,
    form: o.Form = defaults.FORM,
    solver: o.Solver = defaults.SOLVER,
    sweeps: o.Sweeps = None,
    tolerance: o.Tolerance = None,
    prior: o.Prior = defaults.PRIOR,
    label: o.Label = None,
    device: o.Device = defaults.DEVICE,
    dtype: o.Dtype = defaults.DTYPE,
    max_batch: o.MaxBatch = None,
    max_pixels: o.MaxPixels = None,
) -> None:
    """Degrade a photo that is whole, restore it, and say how near that comes.

    \b
    deqir-lite demo
    deqir-lite demo cat --task inpaint-text --samples 8
    deqir-lite demo photo.jpg --task sr4 --size 256 --preset paper
    """
    from deqir_lite.bundled import photo_names, photo_path
    from deqir_lite.checks import check_choice
    from deqir_lite.operators import TASKS

    check_choice("task", task, TASKS)
    settings = Settings.of(locals())
    noise = read_deviation(sigma_y)
    check_seed(mask_seed, "mask-seed")
    bundled = photo in photo_names()
    path = photo_path(photo) if bundled else Path(photo)
    size = SIZE if bundled and size is None else size
    job = Job(path, out or (Path() if bundled else path.parent) / f"{path.stem}-{task}.png")
    beside = ["side-by-side", *(["samples", "deviation"] if samples > 1 else [])]
    files = [job.out, *map(job.beside, beside)]
    check_files(files, path, report, {"mask": mask})

    from deqir_lite._json import write_json
    from deqir_lite.cli.inputs import read_holes, set_limits
    from deqir_lite.cli.report import print_demo, print_work, write_samples
    from deqir_lite.images import read_photo, save_image, side_by_side, write_photo
    from deqir_lite.memory import explaining_memory
    from deqir_lite.restoration import pose_problem

    set_limits(hole, max_pixels)
    taken = read_photo(path, size=size)
    picture = taken.on_white()
    holes = None if mask is None else read_holes(mask, taken.frame, hole)
    height, width = picture.shape[-2:]
    _ = settings.model  # whose memory is not the photo's
    with explaining_memory(
        settings.advice((height, width), f"a --size below {min(height, width)}")
    ):
        problem = pose_problem(
            picture.to(settings.place),
            task,
            mask=None if holes is None else holes.mask,
            mask_seed=mask_seed,
            sigma_y=noise,
        )
        result, plan = settings.restore(problem)
        numbers: dict[str, Any] = {
            "photo": photo,
            "task": task,
            "simulated": TASKS[task].description,
            "measured": list(problem.y.shape[1:]),
            "mask": mask,
            "mask_seed": mask_seed,
            "size": [height, width],
        }
        numbers |= settings.numbers(plan) | result.numbers()
    images = result.images
    # Pillow's font lacks the sign
    labels = ["photo", "pseudo-inverse", result.simple[0].replace("⁺", "+"), "restored"]
    labels += [f"mean of {samples}"] if samples > 1 else []
    write_photo(job.out, result.restored, taken)
    save_image(files[1], side_by_side([picture, *images.values()], labels=labels))
    if samples > 1:
        numbers["deviation_white"] = write_samples(result.samples, seed, files[2:])
    if report is not None:
        write_json(report, numbers, name="report")
        files.append(report)
    print_demo(numbers, [] if holes is None else [f"mask: {holes.describe()}"])
    print_work(numbers, files)

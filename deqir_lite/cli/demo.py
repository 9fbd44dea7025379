"""``deqir-lite demo``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deqir_lite import defaults
from deqir_lite._outputs import only_process
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.cli import options as o
from deqir_lite.cli.app import check_seed, one_line_errors, read_deviation
from deqir_lite.cli.help import completing, option
from deqir_lite.cli.inputs import check_file, check_mask, limit_pixels, read_holes
from deqir_lite.cli.outputs import REPLACES, Job, check_files, one_job
from deqir_lite.cli.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from deqir_lite.images import PhotoFile

PHOTO, TASK, SIZE = "coffee", "sr4", 128
"""What is shown where nothing is said; a bundled photo is made so small, to be quick."""


@one_line_errors
def demo(
    photo: Annotated[
        str,
        typer.Argument(
            help=f"A photo, or a bundled one by name. Default {PHOTO}.",
            metavar="[PHOTO]",
            autocompletion=completing(o.names(o.PHOTOS)),
            rich_help_panel=o.PHOTO,
        ),
    ] = PHOTO,
    task: Annotated[
        str,
        option(
            o.PHOTO,
            f"The degradation; info lists them. Default {TASK}.",
            metavar="NAME",
            names=o.names(o.TASKS),
        ),
    ] = TASK,
    mask: Annotated[
        str | None,
        option(
            o.PHOTO,
            f"Holes, if TASK has some: a file, or {o.MASKS}.",
            metavar="FILE",
            names=o.names(o.MASKS),
        ),
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
    check_choice("task", task, o.names(o.TASKS))
    settings = Settings.of(locals())
    noise = read_deviation(sigma_y)
    check_seed(mask_seed, "mask-seed")
    check_mask(mask, hole)
    for name, given, least in ("size", size, 8), ("max-pixels", max_pixels, 1):
        if given is not None:
            check_integer(name, given, least)
    simulated: dict[str, Any] = {"task": task, "mask": mask, "hole": hole, "mask_seed": mask_seed}
    bundled = photo in o.names(o.PHOTOS)
    simulated |= {"sigma_y": noise, "size": SIZE if bundled and size is None else size}
    path = Path(photo)
    if not bundled:
        check_file("photo", photo, o.PHOTOS)
    name = f"{photo if bundled else path.stem}-{task}.png"
    job, named = one_job(path, out, Path() if bundled else path.parent, name)
    beside = ["side-by-side", *(["samples", "deviation"] if samples > 1 else [])]
    files = [job.out, *map(job.beside, beside)]
    check_files(files, path, report, {"mask": mask})
    with only_process("out", job.out):
        from deqir_lite.bundled import photo_path
        from deqir_lite.cli.record import by_content, check_own, is_recorded

        if bundled:
            job = Job(photo_path(photo), job.out)
            check_files(files, job.photo, report, {"mask": mask})
        asked = by_content(simulated) | settings.asked()
        if named:
            check_own(files, job.photo, asked, REPLACES)
        limit_pixels(max_pixels)
        kept = asked if named or is_recorded(job.out) else None
        _demonstrate(photo, job, files, simulated, settings, report, kept)


def _demonstrate(
    photo: str,
    job: Job,
    files: list[Path],
    simulated: dict[str, Any],
    settings: Settings,
    report: Path | None,
    asked: dict[str, Any] | None,
) -> None:
    """Degrade, restore, write the ``files`` and note what was ``asked``, and say what was done."""
    from deqir_lite._json import write_json
    from deqir_lite.cli.record import note
    from deqir_lite.cli.report import print_demo, print_work, write_samples
    from deqir_lite.images import save_image, side_by_side, write_photo
    from deqir_lite.memory import explaining_memory
    from deqir_lite.operators import TASKS
    from deqir_lite.restoration import pose_problem
    from deqir_lite.restoration.problem import are_grey

    task, samples = simulated["task"], settings.samples
    taken, holes, remarks = _read(job.photo, simulated, settings)
    picture = taken.on_white()
    height, width = picture.shape[-2:]
    _ = settings.model  # whose memory is not the photo's
    with explaining_memory(
        settings.advice((height, width), f"a --size below {min(height, width)}")
    ):
        problem = pose_problem(
            picture.to(settings.place),
            task,
            mask=holes,
            mask_seed=simulated["mask_seed"],
            sigma_y=simulated["sigma_y"],
        )
        if problem.y.shape[1] > 1:  # not when the colours are to be found
            problem = replace(problem, grey=are_grey(picture))
        result, plan = settings.restore(problem)
        numbers: dict[str, Any] = {
            "photo": photo,
            "task": task,
            "simulated": TASKS[task].description,
            "measured": list(problem.y.shape[1:]),
            "mask": simulated["mask"],
            "mask_seed": simulated["mask_seed"],
            "size": [height, width],
        }
        numbers |= settings.numbers(plan) | result.numbers()
    images = result.images
    simple = {"y": "degraded", "A⁺y": "A+ y"}.get(result.simple[0], result.simple[0])
    labels = ["photo", "pseudo-inverse", simple, "restored"]
    labels += [f"mean of {samples}"] if samples > 1 else []
    if asked is not None:
        note(job.out, job.photo, asked)
    write_photo(job.out, result.restored, taken)
    save_image(files[1], side_by_side([picture, *images.values()], labels=labels))
    if samples > 1:
        numbers["deviation_white"] = write_samples(result.samples, settings.seed, files[2:])
    if asked is not None:
        note(job.out, job.photo, asked, numbers)
    if report is not None:
        write_json(report, numbers, name="report")
        files = [*files, report]
    print_demo(numbers, remarks)
    print_work(numbers, files)


def _read(
    path: Path, simulated: dict[str, Any], settings: Settings
) -> "tuple[PhotoFile, Tensor | None, list[str]]":
    """The photo, cut to a size that the task can take, its mask, and what is to be said of them."""
    from deqir_lite.images import read_photo
    from deqir_lite.operators import TASKS
    from deqir_lite.restoration.plan import check_room

    task, size = simulated["task"], simulated["size"]
    fits = TASKS[task].fits
    remarks = []
    if size is not None:
        fitting = fits(size)
        if fitting != size:
            remarks.append(f"size: {fitting}, the largest up to {size} that {task} can take")
        size = fitting
        check_room("size", size, (size, size), settings.place)
    taken = read_photo(path, size=size, name="photo")
    holes = None
    if simulated["mask"] is not None:
        found = read_holes(simulated["mask"], taken.frame, simulated["hole"])
        holes = found.mask
        remarks.append(f"mask: {found.describe()}")
    height, width = taken.image.shape[-2:]
    if (fits(height), fits(width)) == (height, width):
        return taken, holes, remarks
    remarks.append(f"cropped to {fits(width)}x{fits(height)} pixels, which {task} can take")
    low = [(n - fits(n)) // 2 for n in (height, width)]
    rows, columns = slice(low[0], low[0] + fits(height)), slice(low[1], low[1] + fits(width))
    return taken.within(rows, columns), None if holes is None else holes[rows, columns], remarks

"""``deqir-lite restore``."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from deqir_lite import defaults
from deqir_lite._outputs import only_process
from deqir_lite.checks import check_integer
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line, one_line_errors
from deqir_lite.cli.help import option
from deqir_lite.cli.inputs import Known
from deqir_lite.cli.outputs import (
    RECORD_FILE,
    REPLACES,
    Job,
    check_files,
    check_others,
    plan_outputs,
    shown,
)
from deqir_lite.cli.ranks import on_ranks
from deqir_lite.cli.settings import Settings
from deqir_lite.engine.ranks import AgreedError, ranks_here

_LARGE = 2**20
"""Pixels of a photo from which on the simple answer would take longer than it tells."""


@one_line_errors
@on_ranks
def restore(
    photos: Annotated[
        list[Path],
        typer.Argument(
            help="Damaged photos, or folders of them.",
            metavar="PHOTO...",
            readable=False,
            rich_help_panel=o.PHOTO,
        ),
    ],
    mask: Annotated[
        str | None,
        option(
            o.PHOTO,
            f"Holes: a picture, or {o.MASKS}.",
            metavar="FILE",
            names=o.names(o.MASKS),
        ),
    ] = None,
    hole: o.Hole = defaults.HOLE,
    upscale: Annotated[
        int | None, option(o.PHOTO, "PHOTO is N times too small.", metavar="N")
    ] = None,
    kernel: Annotated[
        str | None,
        option(
            o.PHOTO,
            f"Blur: a picture, .npy or text; or {o.KERNELS}.",
            metavar="FILE",
            names=[f"{name}:" for name in o.kernel_names()],
        ),
    ] = None,
    colorize: Annotated[bool, option(o.PHOTO, "PHOTO has lost its colours.", "--colorize")] = False,
    sigma_y: Annotated[
        str | None,
        option(o.PHOTO, "Noise where white - black = 2; auto: as found.", metavar="X|auto"),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            o.OUTPUT,
            "File, or folder. Default beside it, PHOTO-restored.",
            "-o",
            "--out",
            metavar="OUT",
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
    """Restore damaged photos, of whose damage you say what you know.

    \b
    deqir-lite restore scan.png --mask scratches.png --colorize
    deqir-lite restore small.jpg --upscale 2 --sigma-y auto
    deqir-lite restore blurred.png --kernel gaussian:1.5
    deqir-lite restore holiday/ --sigma-y 0.1 -o restored/
    torchrun --standalone --nproc-per-node 2 -m deqir_lite restore ...   2 GPUs
    """
    given = {
        "mask": mask, "hole": hole, "upscale": upscale, "kernel": kernel, "colorize": colorize,
        "sigma_y": sigma_y,
    }  # fmt: skip
    if not any((mask, upscale is not None, kernel, colorize, sigma_y is not None)):
        raise ValueError(
            "damage: nothing was said of it; say what is known: --mask FILE (holes), --upscale N, "
            "--kernel FILE (blur), --colorize, --sigma-y X or auto (noise)"
        )
    settings = Settings.of(locals())
    known = Known.of(given)
    if max_pixels is not None:
        check_integer("max-pixels", max_pixels, 1)
    jobs, several, named = plan_outputs(photos, out)
    inputs = {"mask": mask, "kernel": kernel}
    first = jobs[0]
    if several and report is not None:
        raise ValueError(
            f"report: got it with {len(jobs)} photos; {RECORD_FILE} in the folder has the numbers"
        )
    if several:
        check_others(jobs, inputs)
    else:
        check_files(_files(first, samples), first.photo, report, inputs)
    from deqir_lite.cli.record import by_content, check_own, is_recorded

    asked, ranks = by_content(given) | settings.asked(), ranks_here()
    ranks.check_same(asked | {"photos": [str(job.photo) for job in jobs]})
    with ExitStack() as at_work:
        with ranks.agreeing():
            if ranks.rank == 0:
                for folder in sorted({job.out.parent for job in jobs}) if several else ():
                    at_work.enter_context(only_process("out", folder, folder=True))
                if not several:
                    at_work.enter_context(only_process("out", first.out))
                for job in jobs if named else ():
                    way_out = "take another folder (-o)" if several else REPLACES
                    check_own(_files(job, samples), job.photo, asked, way_out)
            known.prepare(max_pixels)
        _ = settings.place
        if not several:
            kept = named or is_recorded(first.out)
            _restore_one(first, known, settings, report, asked if kept else None)
            return
        failed = _restore_all(jobs, known, settings, asked)
    if failed:
        raise ValueError(f"{failed} of {len(jobs)} photos could not be restored")


def _restore_all(
    jobs: Sequence[Job], known: Known, settings: Settings, asked: dict[str, Any]
) -> int:
    """Restore several photos, but for those that are done; how many failed."""
    from deqir_lite.cli.record import is_done

    failed, ranks = 0, ranks_here()
    for k, job in enumerate(jobs):
        try:
            if ranks.gather(ranks.rank == 0 and is_done(job.out, job.photo, asked))[0]:
                typer.echo(f"{shown(job.out)} is there already, from the same photo and options")
                continue
            typer.echo(f"[{k + 1}/{len(jobs)}] {shown(job.photo)}")
            _restore_one(job, known, settings, None, asked)
        except (ValueError, OSError) as error:
            if ranks.size > 1 and not isinstance(error, AgreedError):
                raise  # the others are in the middle of it
            failed += 1
            typer.echo(f"error: {shown(job.photo)}: {one_line(error)}", err=True)
    return failed


def _files(job: Job, samples: int) -> list[Path]:
    """What is written for a photo."""
    more = ["samples", "deviation"] if samples > 1 else []
    return [job.out, *(job.beside(name) for name in more)]


def _restore_one(
    job: Job, known: Known, settings: Settings, report: Path | None, asked: dict[str, Any] | None
) -> None:
    """Restore a photo; on rank 0 write all files of it, note what was ``asked``, and then say what
    was done."""
    from deqir_lite._json import write_json
    from deqir_lite.cli.record import digest, note
    from deqir_lite.cli.report import print_damage, print_work, write_samples
    from deqir_lite.images import write_photo
    from deqir_lite.memory import explaining_memory
    from deqir_lite.restoration import pose_damaged

    ranks = ranks_here()
    with ranks.agreeing():
        taken = known.read(job.photo)
        picture = taken.photo.image
        size = (picture.shape[-2], picture.shape[-1])
        advice = settings.advice(size, "a smaller photo")
        with explaining_memory(advice):
            problem = pose_damaged(picture.to(settings.place), taken.damage, sigma_y=known.sigma_y)
    if ranks.size > 1:
        ranks.check_same({"photo": digest(job.photo)})
    _ = settings.model  # whose memory is not the photo's
    with explaining_memory(advice):
        result, plan = settings.restore(problem)
        if ranks.rank > 0:
            return
        numbers: dict[str, Any] = {
            "photo": str(job.photo),
            "damage": problem.task,
            "mask": known.mask,
            "kernel": known.kernel,
            "size": list(size),
            "restored_size": list(result.restored.shape[-2:]),
        }
        numbers |= settings.numbers(plan) | result.numbers()
        large = result.restored.shape[-2] * result.restored.shape[-1] > _LARGE
        numbers["differs_from_simple"] = None if large else result.distance_to_simple()

    if asked is not None:
        note(job.out, job.photo, asked)
    write_photo(job.out, result.restored, taken.photo)
    files = _files(job, settings.samples)
    if settings.samples > 1:
        numbers["deviation_white"] = write_samples(result.samples, settings.seed, files[1:])
    if asked is not None:
        note(job.out, job.photo, asked, numbers)
    if report is not None:
        write_json(report, numbers, name="report")
        files.append(report)
    print_damage(numbers, taken.remarks)
    print_work(numbers, files)

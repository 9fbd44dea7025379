"""What ``deqir-lite study evaluation`` does."""

from pathlib import Path

import typer

from deqir_lite._files import write_atomically
from deqir_lite._interrupts import postponed_interrupt
from deqir_lite._outputs import check_folder, only_process, same_file
from deqir_lite.bundled import data_path
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import check_timesteps, read_each, read_spacing
from deqir_lite.device import choose_device, fast_in_bfloat16
from deqir_lite.operators import TASKS
from deqir_lite.priors.base import DTYPES, Prior
from deqir_lite.priors.files import (
    CARD_FILE,
    FIGURE_FILE,
    LOG_FILE,
    PAGE_FILE,
    PICTURES_FILE,
    RESULTS_FILE,
)
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior, prior_folder
from deqir_lite.schedule import spacing_power
from deqir_lite.studies.evaluation.photos import find_photos
from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.report import PAGE_START, page, terminal_report
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.run import Evaluation
from deqir_lite.studies.evaluation.settings import Setting, check_sizes, plan

BATCHES = {"cuda": 32, "mps": 8, "cpu": 8}
"""On a processor larger batches are not faster."""


def evaluate(
    *,
    prior: str,
    label: int | None,
    photos: Path | None,
    out: Path | None,
    tasks: str | None,
    sizes: str,
    timesteps: str,
    seeds: int,
    all_seeds: bool,
    eta: str,
    spacing: str,
    device: str,
    dtype: str | None,
    batch: int | None,
    budget: float | None,
    references_only: bool,
    only_table: bool,
) -> None:
    """The work of the command, with its options."""
    usual = prior_folder(prior) or Path("evaluation")
    folder = out or usual
    _check_out(folder)
    if only_table:
        with only_process("out", folder, folder=True):
            _report(Results.load(folder), Pictures(folder))
        return
    place = choose_device(device)
    dtype = dtype or ("bfloat16" if fast_in_bfloat16(place) else "float32")
    check_choice("dtype", dtype, DTYPES)
    check_integer("seeds", seeds, 1)
    if batch is not None:
        check_integer("batch", batch, 1)
    if budget is not None:
        check_interval("budget", budget, 0.0, float("inf"))
    wanted = plan(
        list(TASKS) if tasks is None else read_each("tasks", tasks, str),
        read_each("sizes", sizes, int),
        read_each("timesteps", timesteps, int),
        eta=read_each("eta", eta, float),
    )
    power = spacing_power(read_spacing(spacing))  # "cubic" and "3" are the same
    if photos is not None and same_file(folder, photos):
        raise ValueError(f"out: {str(folder)!r} has the photos, to which the figure would count")
    found = find_photos(photos or data_path("photos"), without=folder)
    model = load_prior(prior, device=place, dtype=dtype, label=label)
    _check_plan(wanted, model)
    with only_process("out", folder, folder=True):
        results = Results.resume(
            folder,
            {
                "prior": prior_digest(model, prior),
                "photos": {photo.name: photo.digest for photo in found},
                "seeds": seeds,
                "all_seeds": all_seeds,
                "spacing": power,
                "dtype": dtype,
            },
        )
        results.context |= {
            "prior": prior,
            "label": None if label is None else str(label),
            "photos": None if photos is None else str(photos),
            "out": str(out) if out is not None and out.resolve() != usual.resolve() else None,
        }
        pictures = Pictures(folder)
        size = batch or BATCHES[place.type]
        work = Evaluation(model, found, results, pictures, batch=size, device=place)
        stopped: KeyboardInterrupt | None = None
        try:
            complete = work.run(
                wanted,
                minutes=budget,
                references_only=references_only,
                show_progress=True,
                draw=not (folder / FIGURE_FILE).is_file(),
            )
        except KeyboardInterrupt as error:
            complete, stopped = False, error
        with postponed_interrupt():
            if results.references:
                results.save()  # the context may be new where all numbers are known
            _report(results, pictures)
    if not complete:
        typer.echo("stopped before the end: the same command goes on")
    if stopped is not None:
        raise stopped


def _check_out(folder: Path) -> None:
    """Refuse before the work a folder where files cannot be written, or are somebody else's."""
    files = [RESULTS_FILE, PAGE_FILE, FIGURE_FILE, PICTURES_FILE]
    card = [CARD_FILE] if (folder / LOG_FILE).is_file() else []
    check_folder("out", folder, files=[*files, *card])
    page = folder / PAGE_FILE
    if page.exists() and page.read_bytes()[: len(PAGE_START)] != PAGE_START.encode():
        raise ValueError(f"out: {str(page)!r} is of another origin; take another folder or move it")


def _check_plan(wanted: list[Setting], prior: Prior) -> None:
    """Refuse before the work what operators or schedule cannot take."""
    for setting in wanted:
        check_interval("eta", setting.eta, 0.0, 1.0)
        check_timesteps(setting.timesteps, prior.schedule.num_train_timesteps)
    check_sizes({s.task: None for s in wanted}, {s.size: None for s in wanted})


def _report(results: Results, pictures: Pictures) -> None:
    """Print the table; write the page, the figure, and the model card of a trained prior."""
    folder = results.folder
    png = pictures.figure()
    if png is not None:
        write_atomically(folder / FIGURE_FILE, png, name="out")
    # Without the pictures (they are not shipped) an earlier figure of these results stays.
    figure = FIGURE_FILE if (folder / FIGURE_FILE).is_file() else None
    write_atomically(
        folder / PAGE_FILE, page(results, pictures, figure=figure).encode(), name="out"
    )
    if (folder / LOG_FILE).is_file():
        from deqir_lite.training.card import write_card

        try:
            write_card(folder)
        except ValueError as error:
            typer.echo(f"model card left as it is: {error}", err=True)
    typer.echo(terminal_report(results))
    typer.echo(f"written to {folder}")

"""``deqir-lite study``: the long measurements behind the chapters."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from deqir_lite import defaults
from deqir_lite._outputs import check_output
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import Command, option, subgroup

study = subgroup(
    "Long measurements, kept in one file. Stop one at any time: the same command goes on."
)

Out = Annotated[Path, typer.Option(help="JSON file; one that is there is gone on with.")]
_option = functools.partial(option, None)
Tasks = Annotated[list[str] | None, _option("Degradation, may be given again. Default: all.")]


def _chosen(argument: str, given: list[str] | None, known: Iterable[str]) -> Iterable[str]:
    """What was asked for by name, or all that is known; ValueError for another name."""
    from deqir_lite.checks import check_choice

    for name in given or ():
        check_choice(argument, name, known)
    return given or known


@study.command(cls=Command)
@one_line_errors
def sweeps(
    out: Out,
    steps: Annotated[
        list[int] | None, _option("Length of a chain, may be given again. Default: all.")
    ] = None,
) -> None:
    """How many sweeps a chain needs, by form, solver and length (chapter 7)."""
    from deqir_lite.studies.sweeps import STEPS, STUDY, study_runs

    STUDY.run(out, study_runs(steps or STEPS), show_progress=True)


@study.command(cls=Command)
@one_line_errors
def inversion(
    out: Out,
    photo: Annotated[
        list[str] | None, _option("Bundled photo, may be given again. Default: all.")
    ] = None,
) -> None:
    """What choosing the noise gains (chapter 9)."""
    from deqir_lite.studies.inversion import STUDY, study_runs

    STUDY.run(out, study_runs(photos=photo or None), show_progress=True)


@study.command(cls=Command)
@one_line_errors
def steps(
    out: Out,
    photos: Annotated[Path, _option("Folder of photos, best not those of the book.")],
    count: Annotated[int, _option("How many of the photos.")] = defaults.STUDIED_PHOTOS,
) -> None:
    """Where the steps of a chain lie, and how much fresh noise they get (chapter 3)."""
    from deqir_lite.studies.steps import in_folder, study_photos, study_runs

    check_output("out", out)
    runs = study_runs(study_photos(photos, count))
    in_folder(photos).run(out, runs, show_progress=True)


@study.command(cls=Command)
@one_line_errors
def weighted(
    out: Out,
    task: Tasks = None,
) -> None:
    """What the weighted step restores, and how few sweeps it needs (chapter 10)."""
    from deqir_lite.studies.weighted import STUDY, TASKS, study_runs

    STUDY.run(out, study_runs(_chosen("task", task, TASKS)), show_progress=True)


@study.command(cls=Command)
@one_line_errors
def released(
    out: Out,
    task: Tasks = None,
) -> None:
    """What the released code of DeqIR ends at, beside its own chain and DDNM (chapter 11)."""
    from deqir_lite.studies.released import STUDY, TASKS, study_runs

    STUDY.run(out, study_runs(_chosen("task", task, TASKS)), show_progress=True)


@study.command(cls=Command)
@one_line_errors
def posterior(
    out: Out,
    method: Annotated[
        list[str] | None, _option("Method, may be given again. Default: all.")
    ] = None,
) -> None:
    """What each method draws, against the exact posterior of two priors (chapter 13)."""
    from deqir_lite.studies.posterior import SAMPLERS, STUDY, study_runs

    STUDY.run(out, study_runs(_chosen("method", method, SAMPLERS)), show_progress=True)


@study.command(cls=Command)
@one_line_errors
def recipes(
    photos: Annotated[Path, _option("Folder of training photos.")],
    out: Out = Path("comparison.json"),
    minutes: Annotated[float, _option("Of training, for each recipe.")] = defaults.RECIPE_MINUTES,
    recipe: Annotated[
        list[str] | None, _option("Name of a recipe, may be given again. Default: all.")
    ] = None,
    device: o.Device = defaults.DEVICE,
) -> None:
    """Train the same photos with several recipes for the same time.

    A file comparison.json in the folder of a prior becomes a table in its model card.
    """
    from deqir_lite.device import choose_device
    from deqir_lite.studies.recipes import compare_recipes, named_recipes
    from deqir_lite.training.card import recipes_compared
    from deqir_lite.training.photos import load_photos

    place = choose_device(device)
    check_output("out", out)
    chosen = named_recipes(place, names=recipe or ())
    largest = max(max(each.crop, each.final_crop) for each in chosen.values())
    found = load_photos(photos, minimum=largest)
    made = compare_recipes(found, chosen, minutes, device=place, show_progress=True, out=out)
    typer.echo(recipes_compared(made), nl=False)

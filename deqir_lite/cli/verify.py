"""``deqir-lite verify``."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deqir_lite import defaults
from deqir_lite._outputs import check_output
from deqir_lite.cli import options as o
from deqir_lite.cli.app import check_timesteps, one_line_errors
from deqir_lite.cli.help import completing

if TYPE_CHECKING:
    from deqir_lite.verification import Comparison

_LISTED = 10
"""So many misses are named one by one."""


@one_line_errors
def verify(
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this task; may be given more than once.",
            autocompletion=completing(o.names(o.TASKS)),
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"The consistency step: {o.METHODS.removeprefix('auto, ')}.")
    ] = defaults.VERIFIED_METHOD,
    sigma_y: Annotated[
        float, typer.Option(help="Standard deviation of noise in y, which the chain knows.")
    ] = defaults.VERIFIED_NOISE,
    timesteps: Annotated[
        int, typer.Option(help="T, the length of the chains.")
    ] = defaults.VERIFIED_STEPS,
    size: Annotated[
        int, typer.Option(help="Side of the images in pixels.")
    ] = defaults.VERIFIED_SIZE,
    json: Annotated[Path | None, typer.Option(help="Also write all comparisons here.")] = None,
) -> None:
    """Check in float64 that parallel sampling gives the sequential sample.

    Every task, eta, form and solver. Exit code 1 when one of them differs.
    """
    from deqir_lite._json import write_json
    from deqir_lite.checks import check_choice, check_integer
    from deqir_lite.methods import find_method
    from deqir_lite.operators import TASKS
    from deqir_lite.schedule import linear_schedule
    from deqir_lite.verification import TOLERANCE, summary
    from deqir_lite.verification import verify as run_verification

    tasks = list(dict.fromkeys(task or TASKS))
    for name in tasks:
        check_choice("task", name, TASKS)
    check_timesteps(timesteps, linear_schedule().num_train_timesteps)
    check_integer("size", size, 1)
    find_method(method)
    if json is not None:
        check_output("json", json)
    start = time.perf_counter()
    results = run_verification(
        tasks,
        method=method,
        sigma_y=sigma_y,
        num_steps=timesteps,
        size=size,
        show_progress=True,
    )
    seconds = time.perf_counter() - start
    typer.echo(
        f"max |parallel - sequential| over all states and solvers "
        f"({method}, T = {timesteps}, {size}x{size} pixels, float64)\n"
    )
    typer.echo("\n".join(_table(results)) + "\n")
    missed = [result for result in results if not result.passed]
    for result in missed[:_LISTED]:
        typer.echo(f"MISS {_describe(result)}")
    if len(missed) > _LISTED:
        typer.echo(f"MISS and {len(missed) - _LISTED} more")
    typer.echo(
        f"{len(results) - len(missed)} of {len(results)} comparisons within {TOLERANCE:.0e}, "
        f"in {seconds:.0f} s\n"
        f"largest difference: {_describe(max(results, key=lambda result: result.error))}"
    )
    if json is not None:
        write_json(json, summary(results), name="json")
    if missed:
        raise typer.Exit(1)


def _table(results: Sequence["Comparison"]) -> list[str]:
    """One line per task, one column per form and eta, at most 80 wide; "!" marks a miss."""
    from deqir_lite.verification import ETAS, VERIFIED_FORMS

    tasks = list(dict.fromkeys(result.task for result in results))
    width = max(len(name) for name in [*tasks, "task eta"])
    titles = "   ".join(f"{form:^{6 * len(ETAS) - 1}}" for form in VERIFIED_FORMS)
    etas = "  ".join("".join(f"{eta:5g} " for eta in ETAS) for _ in VERIFIED_FORMS)
    lines = [f"{'form':<{width}}  {titles}", f"{'task':<{width - 3}}eta  {etas}"]
    for task in tasks:
        cells = []
        for form in VERIFIED_FORMS:
            cells.append("  ")
            for eta in ETAS:
                group = [r for r in results if (r.task, r.form, r.eta) == (task, form, eta)]
                mark = " " if all(r.passed for r in group) else "!"
                cells.append(f"{max(r.error for r in group):5.0e}{mark}")
        lines.append(f"{task:<{width}}{''.join(cells)}")
    return [line.rstrip() for line in lines]


def _describe(result: "Comparison") -> str:
    return (
        f"{result.error:.1e} ({result.task}, eta {result.eta:g}, {result.form} form, "
        f"{result.solver})"
    )

"""``deqir-lite verify``."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deqir_lite._files import write_atomically
from deqir_lite.cli.app import check_writable, one_line_errors
from deqir_lite.operators import TASKS
from deqir_lite.verification import (
    ETAS,
    TOLERANCE,
    VERIFIED_FORMS,
    Comparison,
    to_json,
)
from deqir_lite.verification import (
    verify as run_verification,
)


@one_line_errors
def verify(
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; may be given more than once.")
    ] = None,
    timesteps: Annotated[int, typer.Option(help="T, the length of the chains.")] = 20,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 16,
    json: Annotated[Path | None, typer.Option(help="Also write all comparisons here.")] = None,
) -> None:
    """Check in float64 that parallel sampling gives the sequential sample.

    Every task, eta, form and solver. Exit code 1 when one of them differs.
    """
    if json is not None:
        check_writable("json", json)
    start = time.perf_counter()
    results = run_verification(task or tuple(TASKS), num_steps=timesteps, size=size,
                               show_progress=True)  # fmt: skip
    Console(width=110).print(_table(results, timesteps, size))
    worst = max(results, key=lambda result: result.error)
    missed = [result for result in results if not result.passed]
    typer.echo(
        f"{len(results) - len(missed)} of {len(results)} comparisons within {TOLERANCE:.0e}; "
        f"largest difference {worst.error:.1e} ({worst.task}, eta {worst.eta:g}, "
        f"{worst.form} form, {worst.solver}); {time.perf_counter() - start:.0f} s"
    )
    if json is not None:
        write_atomically(json, to_json(results).encode(), name="json")
    if missed:
        raise typer.Exit(1)


def _table(results: Sequence[Comparison], timesteps: int, size: int) -> Table:
    table = Table(
        title=f"max |parallel - sequential| over all {timesteps} states and all solvers, float64, "
        f"{size}x{size}"
    )
    table.add_column("task")
    for form in VERIFIED_FORMS:
        for eta in ETAS:
            table.add_column(f"{form}\neta {eta:g}", justify="right")
    for task in dict.fromkeys(result.task for result in results):
        cells = []
        for form in VERIFIED_FORMS:
            for eta in ETAS:
                group = [r for r in results if (r.task, r.form, r.eta) == (task, form, eta)]
                error = max(r.error for r in group)
                style = "" if all(r.passed for r in group) else "[bold red]MISS [/]"
                cells.append(f"{style}{error:.0e}")
        table.add_row(task, *cells)
    return table

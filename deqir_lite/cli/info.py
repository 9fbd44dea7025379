"""``deqir-lite info``."""

from collections.abc import Callable
from typing import Any

import typer

from deqir_lite.cli.app import one_line_errors


@one_line_errors
def info() -> None:
    """Versions, devices, tasks, bundled photos, masks and priors, and which distances are here."""
    from deqir_lite.bundled import mask_names, photo_names, prior_names
    from deqir_lite.machine import machine, versions
    from deqir_lite.metrics import (
        FeaturesUnavailable,
        InceptionUnavailable,
        LPIPSUnavailable,
        feature_network,
        inception_network,
        lpips_network,
    )
    from deqir_lite.operators import TASKS
    from deqir_lite.priors.load import GAUSSIAN

    for name, value in (versions() | machine()).items():
        typer.echo(f"{name:<12} {value}")
    typer.echo(f"priors       {', '.join([*prior_names(), GAUSSIAN])}")
    typer.echo(f"photos       {', '.join(photo_names())}")
    typer.echo(f"masks        {', '.join(mask_names())}")
    typer.echo("tasks")
    for name, task in TASKS.items():
        typer.echo(f"  {name:<19} {task.description}")
    typer.echo("distances")
    distances: dict[str, Callable[[], Any]] = {
        "LPIPS": lpips_network,
        "features": feature_network,
        "FID": inception_network,
    }
    for name, load in distances.items():
        try:
            load()
            said = "yes"
        except (LPIPSUnavailable, FeaturesUnavailable, InceptionUnavailable) as error:
            said = str(error)
        typer.echo(f"  {name:<19} {said}")

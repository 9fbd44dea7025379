"""``deqir-lite info``."""

import importlib.metadata
import platform

import torch
import typer

import deqir_lite
from deqir_lite.bundled import photo_names, prior_names
from deqir_lite.cli.app import one_line_errors
from deqir_lite.operators import TASKS
from deqir_lite.priors.load import GAUSSIAN

PACKAGES = ("torch", "diffusers", "numpy", "scikit-image", "safetensors")


@one_line_errors
def info() -> None:
    """Versions, devices, tasks and bundled priors."""
    from deqir_lite.training.card import describe_hardware  # imports diffusers, which takes seconds

    typer.echo(f"deqir-lite   {deqir_lite.__version__}")
    typer.echo(f"python       {platform.python_version()}")
    for package in PACKAGES:
        typer.echo(f"{package:<12} {_version(package)}")
    typer.echo(f"cpu          {describe_hardware(torch.device('cpu'))}")
    cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    typer.echo(f"cuda         {', '.join(cuda) or 'none'}")
    typer.echo(f"mps          {'yes' if torch.backends.mps.is_available() else 'none'}")
    typer.echo(f"priors       {', '.join([*prior_names(), GAUSSIAN])}")
    typer.echo(f"photos       {', '.join(photo_names())}")
    typer.echo("tasks")
    for name, task in TASKS.items():
        typer.echo(f"  {name:<19} {task.description}")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # put on the path without being installed
        return "unknown"

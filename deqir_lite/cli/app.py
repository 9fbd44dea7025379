"""What all commands share: the application, one-line errors, devices."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer

from deqir_lite.checks import check_choice

app = typer.Typer(
    help="Restore photos with a diffusion model, all timesteps at once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DEVICES = ("auto", "cpu", "cuda", "mps")


def one_line_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a bad argument or a missing file into one line on standard error and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _print_warning
                return command(*args, **kwargs)
        except (ValueError, OSError) as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error

    return wrapped


def _print_warning(message: Warning | str, *args: Any, **kwargs: Any) -> None:
    typer.echo(f"warning: {message}", err=True)


def choose_device(name: str) -> torch.device:
    """``auto`` is cuda where there is one, else Apple's mps, else the cpu."""
    check_choice("device", name, DEVICES)
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if has[device])
    if not has[name]:
        raise ValueError(f"device: {name!r} is not available on this machine; use auto or cpu")
    return torch.device(name)


def check_writable(name: str, path: Path) -> None:
    """Refuse early, before hours of work, a file whose folder does not exist."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name}: no folder {str(path.parent)!r} to write {path.name!r} in")
    if path.is_dir():
        raise ValueError(f"{name}: {str(path)!r} is a folder; expected a file name")

"""What all commands share: the application, errors in one line, checks."""

import functools
import io
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import deqir_lite
from deqir_lite._interrupts import describe, exit_code, stopping_signals
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.cli.help import group, show_help_alone
from deqir_lite.cli.options import SPACINGS, names

app = group("Restore photos with a diffusion model.")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"deqir-lite {deqir_lite.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Restore photos with a diffusion model.

    \b
    deqir-lite restore scan.png --mask scratches.png   fill what the mask marks
    deqir-lite restore small.jpg --upscale 2           twice the size
    deqir-lite demo                                    degrade a photo, restore it
    """
    show_help_alone(ctx)


def one_line_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a bad argument or a missing file into one line on standard error and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be text
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with stopping_signals(), warnings.catch_warnings():
                warnings.showwarning = _print_warning
                return command(*args, **kwargs)
        except KeyboardInterrupt as error:
            typer.echo(f"stopped by {describe(error)}", err=True)
            raise typer.Exit(exit_code(error)) from error
        except BrokenPipeError:  # nobody reads on: no error of this command
            raise
        except (ValueError, OSError) as error:
            reason = one_line(error) or type(error).__name__
            typer.echo(f"error: {reason}", err=True)
            raise typer.Exit(2) from error
        except (MemoryError, RuntimeError) as error:
            from deqir_lite.memory import available_memory, in_gigabytes, is_out_of_memory

            if not is_out_of_memory(error):
                raise
            free = available_memory()
            left = "" if free is None else f" ({in_gigabytes(free)} are free now)"
            typer.echo(
                f"error: out of memory{left}; work on a smaller size or a smaller batch", err=True
            )
            raise typer.Exit(2) from error

    return wrapped


def _print_warning(
    message: Warning | str, category: type[Warning], filename: str, *args: Any, **kwargs: Any
) -> None:
    """What this package warns of; the advice of libraries to their callers is not for users."""
    if Path(filename).is_relative_to(Path(__file__).parents[1]):
        typer.echo(f"warning: {one_line(message)}", err=True)


def one_line(message: object) -> str:
    """A message without line breaks."""
    return " ".join(str(message).split())


def check_timesteps(timesteps: int, longest: int) -> None:
    """Refuse a chain of no step, or of more steps than the schedule of the prior has."""
    check_integer("timesteps", timesteps, 1)
    if timesteps > longest:
        raise ValueError(
            f"timesteps: got {timesteps}; expected at most {longest}, the length of the schedule"
        )


def check_seed(seed: int, name: str = "seed") -> None:
    """Refuse what no torch.Generator takes."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"{name}: got {seed}; expected an integer in [0, 2^63)")


def read_each(name: str, value: str, kind: Callable[[str], Any]) -> list[Any]:
    """The values of an option, separated by commas, without repetition."""
    try:
        return list(dict.fromkeys(kind(part.strip()) for part in value.split(",")))
    except ValueError:
        raise ValueError(f"{name}: got {value!r}; expected numbers separated by commas") from None


def read_spacing(text: str) -> str | float:
    """A spacing as given to a command: a name as it is, an exponent as a number.

    Raises ValueError for what is neither.
    """
    try:
        power = float(text)
    except ValueError:
        check_choice("spacing", text, names(SPACINGS))
        return text
    if not 1 <= power < math.inf:
        raise ValueError(f"spacing: got {power}; expected an exponent >= 1, or {SPACINGS}")
    return power


def read_deviation(text: str) -> float | Literal["auto"]:
    """A noise level as given to a command: a number, or ``auto``.

    Raises ValueError for what is neither.
    """
    if text == "auto":
        return "auto"
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 <= level < math.inf:
        raise ValueError(f"sigma-y: got {text!r}; expected a finite number >= 0, or auto")
    return level

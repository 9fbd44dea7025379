"""What all commands share: the application, one-line errors, devices."""

import functools
import io
import math
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from torch import Tensor

from deqir_lite._interrupts import describe, exit_code, stopping_signals
from deqir_lite._outputs import check_output, same_file
from deqir_lite.bundled import mask_names, mask_path
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.images import PICTURE_ENDINGS, allow_pixels, read_photo
from deqir_lite.memory import available_memory, in_gigabytes, is_out_of_memory
from deqir_lite.operators.mask_files import HOLES, MaskFile, read_mask
from deqir_lite.schedule import spacing_power

app = typer.Typer(
    help="Restore photos with a diffusion model, all timesteps at once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def option(panel: str | None, help: str, *flags: str) -> Any:
    """An option with its help, in one of the panels of a command where that has some."""
    return typer.Option(*flags, help=help, rich_help_panel=panel)


MaxPixels = Annotated[
    int | None, option("Photo", "Most pixels that a picture may have. Default 179 million.")
]
Hole = Annotated[str, option("Photo", f"What is lost in --mask: {', '.join(HOLES)}.")]


def names(known: Iterable[str]) -> str:
    """Known names for a help text."""
    return ", ".join(known)


def one_line_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a bad argument or a missing file into one line on standard error and exit code 2.

    Ctrl-C, SIGTERM and SIGHUP end the command in one line, too, with the exit codes 130, 143, 129.
    """

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
        except (ValueError, OSError) as error:
            reason = _one_line(error) or type(error).__name__
            typer.echo(f"error: {reason}", err=True)
            raise typer.Exit(2) from error
        except (MemoryError, RuntimeError) as error:
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
        typer.echo(f"warning: {_one_line(message)}", err=True)


def _one_line(message: object) -> str:
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


def read_spacing(text: str) -> str | float:
    """A spacing as given to a command: a name as it is, an exponent as a number.

    Raises ValueError for what is neither.
    """
    try:
        spacing: str | float = float(text)
    except ValueError:
        spacing = text
    spacing_power(spacing)
    return spacing


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


def check_outputs(photo: Path, files: list[Path], report: Path | None) -> None:
    """Refuse, before the work, what could not be written or would overwrite the photo."""
    check_choice("ending of out", files[0].suffix.lower(), PICTURE_ENDINGS)
    taken = {photo: "the photo"}
    for path in files:
        name = "report" if path is report else "out"
        check_output(name, path)
        for other, what in taken.items():
            if same_file(path, other):
                raise ValueError(f"{name}: {str(path)!r} is {what}; take another name")
        taken[path] = "another output of this command"


def read_inputs(
    photo: Path,
    mask: str | None,
    size: int | None,
    hole: str,
    max_pixels: int | None,
    measured: bool,
) -> tuple[Tensor, MaskFile | None]:
    """A photo (1, 3, H, W) and its mask: a bundled one by name, which fits any photo, or a file.

    A mask has the size of the restored photo, so that of a measurement is not checked here.
    """
    check_choice("hole", hole, HOLES)
    if max_pixels is not None:
        check_integer("max-pixels", max_pixels, 1)
        allow_pixels(max_pixels)
    picture = read_photo(photo, size=size)
    if mask is None:
        return picture.on_white(), None
    if mask in mask_names():
        return picture.on_white(), read_mask(mask_path(mask), size=size, hole=hole)
    frame = None if measured else picture.frame
    return picture.on_white(), read_mask(mask, size=size, frame=frame, hole=hole)

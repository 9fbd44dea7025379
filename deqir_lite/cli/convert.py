"""``deqir-lite convert`` and ``deqir-lite fetch``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deqir_lite._outputs import check_folder
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import option

if TYPE_CHECKING:
    from deqir_lite.conversion.convert import Conversion

UNTOLD = "What the weights do not tell"

Out = Annotated[Path, typer.Option(help="Folder for the prior, new or empty.")]


@one_line_errors
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A file of tensors, as torch.save writes it, or .safetensors.")
    ],
    layout: Annotated[
        str, typer.Option("--from", help=f"{o.LAYOUTS}: whose code made it.", metavar="NAME")
    ],
    out: Out,
    entry: Annotated[
        str | None,
        option(None, "Which network, where the file holds several: ema.", metavar="NAME"),
    ] = None,
    noise_schedule: Annotated[
        str, option(UNTOLD, f"{o.BETA_SCHEDULES}. Default linear.", metavar="NAME")
    ] = "linear",
    image_size: Annotated[
        int, option(UNTOLD, "Pixels of a side, in training. Default 256.", metavar="N")
    ] = 256,
    num_head_channels: Annotated[
        int | None, option(UNTOLD, "adm: width of an attention head. Default 64.", metavar="N")
    ] = None,
    num_heads: Annotated[
        int | None, option(UNTOLD, "adm: number of heads, in place of their width.", metavar="N")
    ] = None,
    new_attention_order: Annotated[
        bool,
        option(UNTOLD, "adm: all queries come first, then keys, values.", "--new-attention-order"),
    ] = False,
) -> None:
    """Make a prior of a checkpoint of guided-diffusion (adm) or DDPM (ddpm).

    \b
    deqir-lite convert celeba_hq.ckpt --from ddpm --out celeba
    deqir-lite restore photo.png --upscale 4 --prior celeba

    No number changes. Code in the file is not run, and a file with code is refused.
    """
    check_folder("out", out)
    from deqir_lite.checks import check_choice
    from deqir_lite.conversion.convert import LAYOUTS, convert_checkpoint

    check_choice("from", layout, LAYOUTS)
    _report(
        convert_checkpoint(
            checkpoint,
            out,
            layout=layout,
            entry=entry,
            image_size=image_size,
            noise_schedule=noise_schedule,
            num_head_channels=num_head_channels,
            num_heads=num_heads,
            new_attention_order=new_attention_order,
        )
    )


@one_line_errors
def fetch(
    name: Annotated[str, typer.Argument(help=f"{o.PUBLISHED}.")],
    out: Out,
) -> None:
    """Download a published checkpoint, and make a prior of it.

    \b
    deqir-lite fetch celebahq256 --out priors/celebahq256

    The file, .4 to 2.2 GB, is kept beside OUT, and one that lies there is not downloaded again. A
    download that was cut off goes on when the same command comes again. Its SHA-256 is compared
    with the published one, or, where none is, with that of the first download, which is kept in a
    file beside it. Mind the licences of the authors.
    """
    check_folder("out", out)
    from deqir_lite.conversion.published import PUBLISHED, fetch_checkpoint

    made, file, digest = fetch_checkpoint(name, out, show_progress=True)
    known = "as published" if PUBLISHED[name].sha256 else "none is published; kept beside it"
    typer.echo(f"downloaded {file}; SHA-256 {digest} ({known})")
    _report(made)


def _report(made: "Conversion") -> None:
    typer.echo(f"{made.parameters / 1e6:.1f} million numbers; assumed: {made.assumed}")
    label = f" --label N, 0 to {made.classes - 1}" if made.classes else ""
    typer.echo(f"prior written to {made.folder}; use it with --prior {made.folder}{label}")

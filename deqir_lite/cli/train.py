"""``deqir-lite train`` and ``deqir-lite fit-gaussian``."""

from pathlib import Path
from typing import Annotated

import typer

from deqir_lite import defaults
from deqir_lite._outputs import check_folder
from deqir_lite.cli import options as o
from deqir_lite.cli.app import check_seed, one_line_errors

Photos = Annotated[Path, typer.Option(help="Folder of training photos, searched at all depths.")]
Out = Annotated[Path, typer.Option(help="Folder for the result; made if it does not exist.")]
Note = Annotated[str, typer.Option(help="For the model card: which photos, under which licence.")]


@one_line_errors
def train(
    out: Out,
    minutes: Annotated[
        float,
        typer.Option(
            help="Minutes of training steps, earlier runs included; validation and saving come on "
            "top."
        ),
    ],
    photos: Annotated[
        Path | None, typer.Option(help="Folder of training photos, searched at all depths.")
    ] = None,
    dead_leaves: Annotated[
        float, typer.Option(help="Share of the crops from generated pictures; 1 needs no photos.")
    ] = 0.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
    init: Annotated[
        Path | None,
        typer.Option(
            help="A trained prior to begin with instead of random weights: folder, or photo64."
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="prior; for one --task: regression, or palette (a diffusion that sees y); or gan."
        ),
    ] = "prior",
    task: Annotated[
        str | None, typer.Option(help="What a regression or a palette is trained for.")
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            help="Crops per step; of a prior by default 32, on CUDA 256, resumed as before."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of weights, crops and noise; by default 0, resumed as before."),
    ] = None,
    device: o.Device = defaults.DEVICE,
    data_note: Note = "",
) -> None:
    """Train a photo prior on a folder of photos, on generated dead-leaves pictures, or on both.
    Or a network of another --kind, to compare it with.

    OUT receives the prior, a model card, a log, and what --resume needs. Stop it with Ctrl-C at
    any time: the run is saved, and can be resumed, on another device too.
    """
    if seed is not None:
        check_seed(seed)
    check_folder("out", out)
    from deqir_lite.device import choose_device
    from deqir_lite.training.run import train_prior

    place = choose_device(device)

    folder = train_prior(
        photos,
        out,
        minutes,
        kind=kind,
        task=task,
        device=place,
        resume=resume,
        dead_leaves=dead_leaves,
        data_note=data_note,
        batch=batch,
        seed=seed,
        init=init,
    )
    use = f"--prior {folder}" if kind == "prior" else f"evaluate --networks {folder}"
    typer.echo(f"{kind} written to {folder}; use it with {use}")


@one_line_errors
def fit_gaussian(
    photos: Photos,
    out: Out,
    crops: Annotated[
        int, typer.Option(help="How many random crops to average over.")
    ] = defaults.CROPS,
    seed: Annotated[int, typer.Option(help="Seed of the crops.")] = defaults.SEED,
    data_note: Note = "",
) -> None:
    """Fit the Gaussian photo prior to a folder of photos."""
    check_seed(seed)
    check_folder("out", out)
    from deqir_lite.training.statistics import fit_photo_spectrum

    fit_photo_spectrum(photos, out, crops=crops, seed=seed, data_note=data_note)
    typer.echo(f"prior written to {out}; use it with --prior {out}")

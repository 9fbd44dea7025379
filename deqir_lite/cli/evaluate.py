"""``deqir-lite evaluate``."""

from pathlib import Path
from typing import Annotated

from deqir_lite import defaults
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import option

_WHAT, _CHAINS, _HOW = "What is compared", "Chains", "How"

_OWN = "own: each method's. Default own."


@one_line_errors
def evaluate(
    methods: Annotated[
        str,
        option(
            _WHAT,
            f"Of pinv, baseline, gaussian, {o.METHODS.removeprefix('auto, ')}, separated by "
            "commas; with parameters: dps:scale=1:timesteps=100,ddnm:returns=5x3. Default "
            f"{defaults.commas(defaults.COMPARED_METHODS)}.",
            metavar="NAMES",
        ),
    ] = defaults.commas(defaults.COMPARED_METHODS),
    networks: Annotated[
        str | None,
        option(
            _WHAT,
            "Beside them, networks that restore y directly: real-esrgan, files that spandrel "
            "reads, latent diffusions for super-resolution (folder, hub id), folders of train "
            "--kind.",
            metavar="NAMES",
        ),
    ] = None,
    forms: Annotated[
        str,
        option(
            _WHAT,
            f"none (default) walks the chains; {o.FORMS} solve for all their steps at once.",
            metavar="NAMES",
        ),
    ] = "none",
    tasks: Annotated[
        str, option(_WHAT, "Default those of the paper's tables.", metavar="NAMES")
    ] = defaults.commas(defaults.COMPARED_TASKS),
    photos: Annotated[
        Path | None, option(_WHAT, "Folder, with its subfolders; the bundled.", metavar="DIR")
    ] = None,
    sizes: Annotated[
        str, option(_WHAT, "Sides in pixels. Default 128.", metavar="N,...")
    ] = defaults.commas(defaults.COMPARED_SIZES),
    sigma_y: Annotated[
        str,
        option(_WHAT, "Noise that y gets, where white - black = 2. Default 0.", metavar="X,..."),
    ] = "0",
    reference: Annotated[
        str | None,
        option(
            _WHAT,
            f"The method that the others are compared with. Default "
            f"{defaults.COMPARED_REFERENCE}, or the first.",
            metavar="NAME",
        ),
    ] = None,
    timesteps: Annotated[
        str, option(_CHAINS, f"Lengths of the chains, or {_OWN}", metavar="T,...")
    ] = "own",
    spacing: Annotated[
        str, option(_CHAINS, f"{o.SPACINGS}, exponents >= 1, or {_OWN}", metavar="NAME,...")
    ] = "own",
    eta: Annotated[
        str, option(_CHAINS, f"Shares of fresh noise, 0 to 1, or {_OWN}", metavar="X,...")
    ] = "own",
    seeds: Annotated[
        int, option(_CHAINS, "Restorations of each photo: seeds 0, 1, ... Default 1.", metavar="N")
    ] = defaults.COMPARED_SEEDS,
    prior: o.Prior = defaults.PRIOR,
    label: o.Label = None,
    device: o.Device = defaults.DEVICE,
    dtype: o.Dtype = defaults.DTYPE,
    max_batch: o.MaxBatch = None,
    pictures: Annotated[
        bool, option(_HOW, "Keep what is restored from now on: OUT/sheets.", "--pictures")
    ] = False,
    out: Annotated[
        Path,
        option(
            _HOW,
            "Folder for methods.json, .csv and .md. Default ./methods. What is there is gone on "
            "with.",
            metavar="DIR",
        ),
    ] = Path("methods"),
) -> None:
    """Compare methods on the same photos, damage and noise, in the layout of the paper's tables.

    Stop it at any time, with Ctrl-C for example: the same command goes on. Several processes share
    the photos: torchrun --no-python --nproc-per-node 4 deqir-lite evaluate ...
    """
    options = dict(locals())
    from deqir_lite.cli.comparing import compare

    compare(**options)

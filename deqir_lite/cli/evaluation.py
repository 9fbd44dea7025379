"""``deqir-lite study evaluation``."""

from pathlib import Path
from typing import Annotated

from deqir_lite import defaults
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import option

_WHAT, _CHAINS, _HOW = "What is judged", "Chains", "How"


@one_line_errors
def evaluation(
    prior: o.Prior = defaults.PRIOR,
    label: o.Label = None,
    photos: Annotated[
        Path | None,
        option(_WHAT, "Folder of photos not trained on; the bundled.", metavar="DIR"),
    ] = None,
    tasks: Annotated[
        str | None, option(_WHAT, "Tasks, separated by commas; all.", metavar="NAMES")
    ] = None,
    sizes: Annotated[
        str, option(_WHAT, "Sides in pixels, separated by commas.", metavar="N,...")
    ] = defaults.commas(defaults.EVALUATED_SIZES),
    out: Annotated[
        Path | None,
        option(
            _HOW,
            "Folder for evaluation.json, .md and .png: the prior's, or ./evaluation. What is "
            "there is gone on with.",
            metavar="DIR",
        ),
    ] = None,
    timesteps: Annotated[
        str, option(_CHAINS, "T, separated by commas.", metavar="N,...")
    ] = defaults.commas(defaults.EVALUATED_STEPS),
    eta: Annotated[
        str, option(_CHAINS, "Shares of fresh noise, 0 to 1, separated by commas.", metavar="X,...")
    ] = defaults.EVALUATED_ETA,
    spacing: Annotated[
        str, option(_CHAINS, f"{o.SPACINGS}, or an exponent >= 1.", metavar="NAME")
    ] = defaults.EVALUATED_SPACING,
    seeds: Annotated[
        int,
        option(
            _CHAINS,
            "Samples of each photo: seeds 0, 1, ... Long chains and large photos are sampled once, "
            "but where a task has a goal of its own.",
            metavar="N",
        ),
    ] = defaults.EVALUATED_SEEDS,
    all_seeds: Annotated[
        bool, option(_CHAINS, "All seeds everywhere: best on a GPU.", "--all-seeds")
    ] = False,
    device: o.Device = defaults.DEVICE,
    dtype: Annotated[
        str | None,
        option(
            o.MACHINE,
            f"Inside the network: {o.DTYPES}; bfloat16 where it is fast.",
            metavar="NAME",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        option(o.MACHINE, "Images through the network at once; 32 on cuda, else 8.", metavar="N"),
    ] = None,
    budget: Annotated[
        float | None,
        option(_HOW, "Stop after so many minutes; what matters most comes first.", metavar="X"),
    ] = None,
    references_only: Annotated[
        bool, option(_HOW, "Baselines and reference methods only.", "--references-only")
    ] = False,
    only_table: Annotated[
        bool, option(_HOW, "Table and figure again from what is in OUT.", "--only-table")
    ] = False,
) -> None:
    """Judge a prior by restoration: all tasks on photos, against simpler methods.

    Prints a table; OUT receives evaluation.json, evaluation.md and evaluation.png. Stop it at
    any time, with Ctrl-C for example: the same command goes on.
    """
    options = dict(locals())
    from deqir_lite.cli.evaluating import evaluate

    evaluate(**options)

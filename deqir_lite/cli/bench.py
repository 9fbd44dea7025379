"""``deqir-lite bench``."""

from pathlib import Path
from typing import Annotated

from deqir_lite import defaults
from deqir_lite.cli import options as o
from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import option

_WHAT, _HOW = "What is measured", "How"


@one_line_errors
def bench(
    json: Annotated[Path, option(_HOW, "File; one that is there is gone on with.", metavar="FILE")],
    quick: Annotated[
        bool, option(_WHAT, "Two chains of 20 steps, 32 pixels: minutes.", "--quick")
    ] = False,
    counts_only: Annotated[
        bool,
        option(_WHAT, "Only sweeps and evaluations, which no machine changes.", "--counts-only"),
    ] = False,
    steps: Annotated[
        str, option(_WHAT, "Lengths of the chains. Default 20,50,100.", metavar="T,...")
    ] = defaults.commas(defaults.BENCH_STEPS),
    sizes: Annotated[
        str, option(_WHAT, "Sides in pixels. Default 64.", metavar="N,...")
    ] = defaults.commas(defaults.BENCH_SIZES),
    batches: Annotated[
        str, option(_WHAT, "Samples at once. Default 1.", metavar="N,...")
    ] = defaults.commas(defaults.BENCH_BATCHES),
    eta: Annotated[
        str, option(_WHAT, "Shares of fresh noise, 0 to 1. Default 0.15,1.", metavar="X,...")
    ] = defaults.commas(defaults.BENCH_ETAS),
    spacing: Annotated[
        str,
        option(_WHAT, f"{o.SPACINGS}, or exponents >= 1. Default uniform,cubic.", metavar="..."),
    ] = defaults.commas(defaults.BENCH_SPACINGS),
    samplers: Annotated[
        str | None,
        option(_WHAT, "Names as the file has them. Default all, and pictures.", metavar="NAME;..."),
    ] = None,
    problems: Annotated[
        str | None,
        option(_WHAT, "Tasks of photos; all: eight of two. Default two.", metavar="TASK:PHOTO,..."),
    ] = None,
    repeats: Annotated[
        int, option(_HOW, "How many times each is timed. Default 5.", metavar="N")
    ] = defaults.BENCH_REPEATS,
    minutes: Annotated[
        float | None, option(_HOW, "Begin nothing more after so many.", metavar="X")
    ] = None,
    device: o.Device = defaults.DEVICE,
    dtype: o.Dtype = defaults.DTYPE,
) -> None:
    """What parallel sampling costs here, beside the walk and the relatives, on the same chains.

    Stop it at any time, with Ctrl-C for example: the same command goes on. What was measured on
    another machine stays in the file beside what is measured on this one.
    """
    options = dict(locals())
    from deqir_lite.cli.benching import run_bench

    run_bench(**options)

"""What ``deqir-lite bench`` does."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from deqir_lite._outputs import check_output
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli.app import check_timesteps, read_each, read_spacing
from deqir_lite.device import choose_device
from deqir_lite.machine import describe_device
from deqir_lite.priors.base import DTYPES
from deqir_lite.priors.load import load_prior
from deqir_lite.studies.bench.runs import (
    PAPER_CHAIN,
    PICTURE_CHAIN,
    PROBLEMS,
    check_grid,
    count_runs,
    quality_runs,
    timed_runs,
)
from deqir_lite.studies.bench.samplers import COUNTED
from deqir_lite.studies.bench.study import on_device, table
from deqir_lite.studies.study import PRIOR
from deqir_lite.studies.sweeps import DEFAULT_PHOTOS, DEFAULT_TASKS


def run_bench(
    *,
    json: Path,
    quick: bool,
    counts_only: bool,
    steps: str,
    sizes: str,
    batches: str,
    eta: str,
    spacing: str,
    samplers: str | None,
    problems: str | None,
    repeats: int,
    minutes: float | None,
    device: str,
    dtype: str,
) -> None:
    """The work of the command, with its options."""
    lengths, sides = read_each("steps", steps, int), read_each("sizes", sizes, int)
    images, etas = read_each("batches", batches, int), read_each("eta", eta, float)
    grids = [read_spacing(text) for text in read_each("spacing", spacing, str)]
    names = COUNTED if samplers is None else [n.strip() for n in samplers.split(";")]
    posed = _read_problems(problems)
    check_grid(lengths, sides, images, etas, grids, names, posed)
    check_integer("repeats", repeats, 1)
    if minutes is not None:
        check_interval("minutes", minutes, 0.0, float("inf"))
    check_choice("dtype", dtype, DTYPES)
    place = choose_device(device)
    check_output("json", json)
    prior = load_prior(PRIOR, device=place, dtype=dtype)
    for length in lengths:
        check_timesteps(length, prior.schedule.num_train_timesteps)
    chains = list(itertools.product(etas, grids))
    if quick:
        lengths, sides, images, repeats = [20], [32], [1], min(repeats, 2)
        chains, posed = [PAPER_CHAIN, PICTURE_CHAIN], posed[:1]
    runs = count_runs(lengths, sides, chains=chains, problems=posed, samplers=names, batches=images)
    judged = quality_runs() if samplers is None and not quick else []
    if not counts_only:
        where, own = describe_device(place), [run for run in runs if run.start == "own"]
        controls = [run for run in runs if run.start != "own"]  # their sweeps are the question
        runs = timed_runs(own, repeats=repeats, device=where, graphs=place.type == "cuda")
        runs += controls
        judged = [replace(run, repeats=1, device=where) for run in judged]
    wanted = [replace(run, dtype=dtype) for run in dict.fromkeys([*runs, *judged])]
    study = on_device(place, minutes=minutes)
    costs = {cost.run: cost for cost in study.run(json, wanted, prior=prior, show_progress=True)}
    done = [costs[run] for run in wanted if run in costs]
    typer.echo(table(done))
    left = len(wanted) - len(done)
    more = f"; {left} runs are left: the same command goes on" if left else ""
    typer.echo(f"written to {json}{more}")


def _read_problems(text: str | None) -> Sequence[tuple[str, str]]:
    """(task, photo) of each problem; "all" of them are those of the study of sweeps."""
    if text is None:
        return PROBLEMS
    if text == "all":
        return list(itertools.product(DEFAULT_TASKS, DEFAULT_PHOTOS))
    parts = [part.strip().partition(":") for part in text.split(",")]
    return [(task, photo) for task, _, photo in parts]

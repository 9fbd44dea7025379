"""The benchmark as a study that goes on where it stopped, and its table for a terminal."""

import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from pydantic import Field
from tabulate import tabulate

from deqir_lite._json import Number, Schema
from deqir_lite.studies.bench.measure import BenchCost, Mark, measure_all
from deqir_lite.studies.bench.runs import BenchRun
from deqir_lite.studies.study import Study


class _Mark(Schema):
    sweeps: int
    calls: int
    nfe: int
    decibel: Number | None = None
    psnr: Number | None = None
    consistency: Number | None = None
    seconds: list[float] = Field(default_factory=list)


class _Row(Schema):
    marks: dict[str, _Mark]
    network: float | None = None
    peak: int | None = None
    load: float | None = None


_DIGITS = {"decibel": 2, "psnr": 3, "consistency": 6, "network": 4, "load": 2}


def _encode(cost: BenchCost) -> dict[str, Any]:
    """What there is, rounded; what there is not, left out."""
    marks = {
        name: _written(asdict(mark) | {"seconds": [round(s, 5) for s in mark.seconds]})
        for name, mark in cost.marks.items()
    }
    more = {"network": cost.network, "peak": cost.peak, "load": cost.load}
    return {"marks": marks, **_written(more)}


def _written(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, _DIGITS[name]) if name in _DIGITS else value
        for name, value in values.items()
        if value is not None and value != []
    }


def _decode(run: BenchRun, row: _Row) -> BenchCost:
    marks = {
        name: Mark(**mark.model_dump() | {"seconds": tuple(mark.seconds)})
        for name, mark in row.marks.items()
    }
    return BenchCost(run, marks, row.network, row.peak, row.load)


STUDY = Study(
    "bench", "costs", BenchRun, measure_all, _Row, _encode, _decode, command="deqir-lite bench"
)
"""The study, and its file."""


def on_device(device: torch.device | str, *, minutes: float | None = None) -> Study[BenchCost]:
    """The study on a device; after so many minutes it begins no more runs."""
    measure = functools.partial(measure_all, device=device, minutes=minutes)
    return replace(STUDY, measure=measure)


def find(costs: Iterable[BenchCost], **wanted: Any) -> list[BenchCost]:
    """Those whose runs have these values."""
    return [
        cost
        for cost in costs
        if all(getattr(cost.run, name) == value for name, value in wanted.items())
    ]


def table(costs: Sequence[BenchCost]) -> str:
    """A line for each sampler on each kind of chain: means over the problems to 40 dB.

    ``overhead`` is the share of the time outside of the network.
    """
    groups: dict[tuple[Any, ...], list[BenchCost]] = {}
    for cost in costs:
        groups.setdefault(_kind(cost.run), []).append(cost)
    lines = []
    for (method, T, eta, spacing, size, batch, sampler, start, dtype, _), own in groups.items():
        name = sampler if start == "own" else f"{sampler}, {start} start"
        name += "" if dtype == "float32" else f", {dtype}"
        there = [mark for mark in map(_mark_at_40, own) if mark is not None]
        line: list[Any] = [f"{method} {T}", f"{eta:g} {spacing}", f"{size} x{batch}", name]
        line.append(f"{len(there)}/{len(own)}")
        for value in ("sweeps", "calls", "nfe"):
            line.append(_mean([getattr(mark, value) for mark in there]))
        line.append(_mean([mark.seconds[0] for mark in there if mark.seconds]))
        line.append(_mean([1 - cost.network for cost in own if cost.network is not None]))
        lines.append(line)
    heads = ["chain", "eta, steps", "pixels", "sampler", "there", "sweeps", "calls", "nfe", "s"]
    heads += ["overhead"]
    return tabulate(lines, heads)


def _kind(run: BenchRun) -> tuple[Any, ...]:
    how = run.sampler, run.start, run.dtype, run.device
    return run.method, run.num_steps, run.eta, run.spacing, run.size, run.batch, *how


def _mark_at_40(cost: BenchCost) -> Mark | None:
    return cost.marks.get("40") or cost.marks.get("end")


def _mean(values: Sequence[float]) -> float | None:
    return float(f"{statistics.mean(values):.4g}") if values else None

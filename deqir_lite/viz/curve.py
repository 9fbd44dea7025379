"""A curve over the sweeps as SVG, with a cursor that a script can move."""

import html
import math
from collections.abc import Mapping

import numpy as np

from deqir_lite.viz._values import log_floor
from deqir_lite.viz.style import COLORS, GRID, INK

WIDTH = 420
"""Pixels of a curve across, and the most that it takes on a screen."""


def curve_svg(series: Mapping[str, np.ndarray], first: int, label: str, ylabel: str) -> str:
    """A small plot of ``series`` (name -> one value for each sweep) on a logarithmic axis.

    The group of class ``cursor`` stands at the first sweep; its ``data-x`` lists the places of all.
    """
    width, left, right, bottom = WIDTH, 52, 10, 34
    legend, lines = _legend(list(series), left, width - right)
    top = 24 + 16 * lines
    height = 146 + top
    values = list(series.values())
    floor = log_floor(values)
    logs = [
        np.log10(np.where(np.isfinite(v), np.maximum(v, floor), np.nan), where=np.isfinite(v),
                 out=np.full_like(v, np.nan))
        for v in values
    ]  # fmt: skip
    low = math.floor(min(np.nanmin(v) for v in logs))
    high = max(math.ceil(max(np.nanmax(v) for v in logs)), low + 1)
    count = len(values[0])
    step = (width - left - right) / max(count - 1, 1)
    xs = [round(left + k * step, 1) for k in range(count)]

    def at(value: float) -> float:
        return round(top + (high - value) / (high - low) * (height - top - bottom), 1)

    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for power in range(low, high + 1, max(1, math.ceil((high - low) / 4))):
        zero = power == low and any((v == 0).any() for v in values)
        exponent = str(power).replace("-", "\N{MINUS SIGN}")
        tick = "0" if zero else f'10<tspan dy="-4" font-size="8">{exponent}</tspan>'
        parts.append(
            f'<line x1="{left}" x2="{width - right}" y1="{at(power)}" y2="{at(power)}" '
            f'stroke="{GRID}"/><text x="{left - 6}" y="{at(power) + 4}" text-anchor="end">'
            f"{tick}</text>"
        )
    for k in range(0, count, max(1, math.ceil(count / 10))):
        parts.append(
            f'<text x="{xs[k]}" y="{height - bottom + 14}" text-anchor="middle">{first + k}</text>'
        )
    parts.append(
        f'<text x="{left}" y="12">{html.escape(ylabel)}</text>'
        f'<text x="{(left + width - right) / 2}" y="{height - 5}" text-anchor="middle">'
        f"{html.escape(label.lower())}</text>"
    )
    for k, (name, v) in reversed(list(enumerate(zip(series, logs, strict=True)))):
        color = COLORS[k % len(COLORS)]
        dash = ("", "6 3", "2 3", "8 3 2 3")[k % 4]
        runs: list[list[str]] = [[]]
        for x, value in zip(xs, v, strict=True):
            if np.isnan(value):
                runs.append([])
            else:
                runs[-1].append(f"{x},{at(value)}")
                parts.append(f'<circle cx="{x}" cy="{at(value)}" r="2.5" fill="{color}"/>')
        parts += [
            f'<polyline points="{" ".join(run)}" fill="none" stroke="{color}" '
            f'stroke-width="1.6" stroke-dasharray="{dash}"/>'
            for run in runs
            if len(run) > 1
        ]
        if name:  # in ink: not all colours of lines are readable as text
            x, y = legend[k]
            parts.append(
                f'<line x1="{x}" x2="{x + 18}" y1="{y - 4}" y2="{y - 4}" stroke="{color}" '
                f'stroke-width="1.6" stroke-dasharray="{dash}"/>'
                f'<text x="{x + 24}" y="{y}">{html.escape(name)}</text>'
            )
    parts.append(
        f'<g class="cursor" data-x=\'{xs}\' transform="translate({xs[0]} 0)">'
        f'<line y1="{top}" y2="{height - bottom}" stroke="{INK}" stroke-width="1.2"/></g>'
    )
    ends = "; ".join(
        f"{name + ': ' if name else ''}{_first_finite(v):.2g} to {_first_finite(v[::-1]):.2g}"
        for name, v in series.items()
    )
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" '
        f'fill="{INK}" style="width:{width}px;max-width:100%;height:auto;display:block" '
        f'aria-label="{html.escape(ylabel)} against {html.escape(label.lower())}, '
        f'{html.escape(ends)}">{"".join(parts)}</svg>'
    )


def _legend(names: list[str], left: int, right: int) -> tuple[list[tuple[int, int]], int]:
    """Where the entry of each name begins, below the label of the axis, and the lines they take."""
    places: list[tuple[int, int]] = []
    x, line = left, 0
    for name in names:
        wide = 24 + 7 * len(name) + 12
        if x > left and x + wide > right:
            x, line = left, line + 1
        places.append((x, 28 + 16 * line))
        x += wide
    return places, line + 1 if any(names) else 0


def _first_finite(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)][0])

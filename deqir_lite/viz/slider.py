"""A slider over the sweeps that needs no kernel: it works in the static book and in JupyterLab."""

import base64
import hashlib
import html
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from deqir_lite.checks import check_integer
from deqir_lite.images import side_by_side, to_picture
from deqir_lite.viz._values import log_floor, to_array
from deqir_lite.viz.style import COLORS, GRID, INK

_DRAWN: Counter[str] = Counter()  # how often the same content was shown: ids differ on one page

_SCRIPT = """
(function () {
  var root = document.getElementById("ID");
  if (!root) { return; }
  var input = root.querySelector("input");
  var frames = root.querySelectorAll("img");
  var cursor = root.querySelector(".cursor");
  var marks = cursor ? JSON.parse(cursor.dataset.x) : [];
  function show() {
    var k = input.value - input.min;
    frames.forEach(function (frame, i) { frame.style.display = i === k ? "" : "none"; });
    var text = frames[k].dataset.caption;
    root.querySelector("output").textContent = text;
    input.setAttribute("aria-valuetext", text);
    if (cursor) { cursor.setAttribute("transform", "translate(" + marks[k] + " 0)"); }
  }
  input.addEventListener("input", show);
  ["keydown", "keyup", "keypress"].forEach(function (name) {
    input.addEventListener(name, function (event) { event.stopPropagation(); });
  });
  show();
})();
"""


class IterationSlider:
    """Pictures of a restoration after each sweep, chosen with a slider.

    Args:
        frames: one image for each sweep, all of one size, as ``images.to_picture`` takes them,
            or a tensor (B, 3, H, W). ``images.side_by_side`` makes frames of several images.
        captions: one for each frame, shown under it; default: the label and the number.
        series: residual after each sweep for a curve with a cursor: one value >= 0 for each
            frame, or name -> values. None and NaN leave a gap.
        label: what the slider counts.
        alt: what the pictures show; the alternative text of each names the sweep after it.
        first: the number of the first frame: 0 for the start.
        scale: screen pixels for a pixel of the frames; default: enough for 256 pixels.
        series_label: what the curve shows.

    Raises ValueError when there is no frame, sizes or numbers differ, or ``alt`` is empty.
    """

    def __init__(
        self,
        frames: torch.Tensor | Sequence[torch.Tensor | np.ndarray | Image.Image],
        captions: Sequence[str] | None = None,
        series: Mapping[str, Any] | Any | None = None,
        label: str = "Sweep",
        alt: str = "Restored photo",
        first: int = 0,
        scale: int | None = None,
        series_label: str = "relative residual",
    ) -> None:
        self.frames = [to_picture(frame) for frame in frames]
        if not self.frames:
            raise ValueError("frames: got none; expected at least one")
        sizes = sorted({frame.size for frame in self.frames})
        if len(sizes) > 1:
            raise ValueError(f"frames: got sizes {sizes}; expected all of one size")
        check_integer("first", first, minimum=0)
        for name, text in (("label", label), ("alt", alt)):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{name}: got {text!r}; expected some text")
        numbers = [f"{label} {first + k}" for k in range(len(self.frames))]
        self.captions = numbers if captions is None else [str(caption) for caption in captions]
        if len(self.captions) != len(self.frames):
            raise ValueError(
                f"captions: got {len(self.captions)} for {len(self.frames)} frames; "
                "expected one each"
            )
        scale = math.ceil(256 / sizes[0][0]) if scale is None else scale
        check_integer("scale", scale, minimum=1)
        self.label, self.first, self.scale, self.series_label = label, first, scale, series_label
        self.alts = [
            f"{alt}, {number}" + (f": {caption}" if caption != number else "")
            for number, caption in zip(numbers, self.captions, strict=True)
        ]
        named = {} if series is None else series
        named = named if isinstance(named, Mapping) else {"": named}
        self.series = {n: to_array(f"series[{n!r}]", v, ndim=1) for n, v in named.items()}
        for name, values in self.series.items():
            if len(values) != len(self.frames):
                raise ValueError(
                    f"series[{name!r}]: got {len(values)} values for {len(self.frames)} frames; "
                    "expected one each"
                )

    def _repr_html_(self) -> str:
        """Return the widget. Without scripts the first frame stays visible."""
        content = self._pictures() + self._curve()
        digest = hashlib.sha256((content + self.label).encode()).hexdigest()[:10]
        _DRAWN[digest] += 1
        name = f"slider-{digest}-{_DRAWN[digest]}"
        last = self.first + len(self.frames) - 1
        return (
            f'<div class="iteration-slider" id="{name}" role="group" '
            f'aria-label="{html.escape(self.label)}" style="max-width:100%">'
            f"{content}"
            '<div style="display:flex;flex-wrap:wrap;gap:0.2em 0.8em;align-items:center">'
            f'<label for="{name}-input">{html.escape(self.label)}</label>'
            f'<input id="{name}-input" type="range" min="{self.first}" max="{last}" step="1" '
            f'value="{self.first}" autocomplete="off" '
            f'aria-valuetext="{html.escape(self.captions[0])}" style="flex:0 1 256px">'
            f'<output for="{name}-input" aria-live="polite">{html.escape(self.captions[0])}'
            f"</output></div><script>{_SCRIPT.replace('ID', name, 1)}</script></div>"
        )

    def _repr_png_(self) -> bytes:
        """Return up to five frames in a row with their captions, for print."""
        count = min(5, len(self.frames))
        chosen = np.linspace(0, len(self.frames) - 1, count).round().astype(int)
        row = side_by_side([self.frames[k] for k in chosen], [self.captions[k] for k in chosen])
        return _png(row)

    def _pictures(self) -> str:
        width = self.frames[0].width * self.scale
        pictures = []
        for k, (frame, caption, alt) in enumerate(
            zip(self.frames, self.captions, self.alts, strict=True)
        ):
            data = base64.b64encode(_png(frame)).decode()
            hidden = "display:none;" if k else ""
            pictures.append(
                f'<img class="dark-light" alt="{html.escape(alt)}" '
                f'data-caption="{html.escape(caption)}" src="data:image/png;base64,{data}" '
                f'style="{hidden}width:{width}px;max-width:100%;height:auto;margin:0;'
                'image-rendering:pixelated">'
            )
        return "<div>" + "".join(pictures) + "</div>"

    def _curve(self) -> str:
        """Return the residuals as an SVG with a cursor; empty without a series."""
        if not self.series:
            return ""
        return _curve_svg(self.series, self.first, self.label, self.series_label)


def _curve_svg(series: Mapping[str, np.ndarray], first: int, label: str, ylabel: str) -> str:
    """A small plot on a logarithmic axis: SVG, so that the script can move the cursor in it."""
    width, height, left, right, top, bottom = 420, 170, 52, 10, 24, 34
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
    legend = width - right
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
            sample = legend - 7 * len(name) - 24
            parts.append(
                f'<text x="{legend}" y="12" text-anchor="end">{html.escape(name)}</text>'
                f'<line x1="{sample}" x2="{sample + 18}" y1="8" y2="8" stroke="{color}" '
                f'stroke-width="1.6" stroke-dasharray="{dash}"/>'
            )
            legend = sample - 12
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


def _first_finite(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)][0])


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()

"""A slider over the sweeps that needs no kernel: it works in the static book and in JupyterLab."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from deqir_lite.checks import check_integer
from deqir_lite.images import side_by_side, to_picture
from deqir_lite.viz._pictures import png_bytes, webp_address
from deqir_lite.viz._values import to_array
from deqir_lite.viz.curve import WIDTH, curve_svg
from deqir_lite.viz.player import player

_LARGE = 300_000
"""Pixels of a frame, of many pictures, from which on it is stored nearly, not to the last bit."""


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
        scale: screen pixels for a pixel of the frames; default: enough for 512 pixels.
        series_label: what the curve shows.
        drawn: the frames are drawings on white, which a dark page may invert, and no photos.

    Raises ValueError when there is no frame, sizes or numbers differ, or ``alt`` is empty.
    """

    def __init__(
        self,
        frames: torch.Tensor | Sequence[torch.Tensor | np.ndarray | Image.Image],
        *,
        captions: Sequence[str] | None = None,
        series: Mapping[str, Any] | Any | None = None,
        label: str = "Sweep",
        alt: str = "Restored photo",
        first: int = 0,
        scale: int | None = None,
        series_label: str = "relative residual",
        drawn: bool = False,
    ) -> None:
        self.frames = [to_picture(frame) for frame in frames]
        if not self.frames:
            raise ValueError("frames: got none; expected at least one")
        sizes = sorted({frame.size for frame in self.frames})
        if len(sizes) > 1:
            raise ValueError(f"frames: got sizes {sizes}; expected all of one size")
        first = check_integer("first", first, minimum=0)
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
        scale = math.ceil(512 / sizes[0][0]) if scale is None else scale
        scale = check_integer("scale", scale, minimum=1)
        self.label, self.first, self.scale, self.series_label = label, first, scale, series_label
        self.drawn = drawn
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
        content = self._pictures()
        if self.series:
            content += curve_svg(self.series, self.first, self.label, self.series_label)
        width = max(self.frames[0].width * self.scale, WIDTH if self.series else 0)
        return player(content, self.captions, label=self.label, first=self.first, width=width)

    def _repr_png_(self) -> bytes:
        """Return up to five frames in a row with their captions, for print."""
        count = min(5, len(self.frames))
        chosen = np.linspace(0, len(self.frames) - 1, count).round().astype(int)
        row = side_by_side([self.frames[k] for k in chosen], [self.captions[k] for k in chosen])
        return png_bytes(row)

    def _pictures(self) -> str:
        width = self.frames[0].width * self.scale
        kind = "dark-light plot" if self.drawn else "dark-light"
        pictures = []
        for k, (frame, alt) in enumerate(zip(self.frames, self.alts, strict=True)):
            hidden = "display:none;" if k else ""
            small = frame.width * frame.height < _LARGE
            quality = None if self.drawn or small else 85
            pictures.append(
                f'<img class="{kind}" alt="{html.escape(alt)}" '
                f'data-frame="{k}" src="{webp_address(frame, quality=quality)}" '
                f'style="{hidden}width:{width}px;max-width:100%;height:auto;margin:0;'
                'image-rendering:pixelated">'
            )
        return "<div>" + "".join(pictures) + "</div>"

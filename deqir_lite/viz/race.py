"""Step by step beside all at once: the queue, the staircase, and the photo as both go on."""

import html
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from deqir_lite.images import side_by_side, to_picture
from deqir_lite.viz._pictures import png_bytes, webp_address
from deqir_lite.viz.player import player
from deqir_lite.viz.style import COLORS, GRID, INK

_SIDE = 14  # pixels of the square that stands for a state

Images = torch.Tensor | Sequence[torch.Tensor | np.ndarray | Image.Image]


class SweepRace:
    """An animation: one call of the network after the other, in both ways of computing a chain.

    A row of squares stands for the states x_{T-1}, ..., x_0. Step by step one of them is worked on
    at a time; all at once, every state that is not final yet. Below each row lies the photo as far
    as it has come.

    Args:
        walked: the start and what step by step makes of it after each of the T steps, T + 1
            images of one size, as ``images.to_picture`` takes them, or a tensor (T + 1, 3, H, W).
        solved: the start and x_0 after each of the S <= T sweeps, S + 1 images of that size.
        final: how many states are final after each sweep, S + 1 numbers from 0 to T that do not
            fall, T at the end; default: one more with each sweep, which is what a sweep
            guarantees, and all of them at the end.
        alt: what the photo is.
        scale: screen pixels for a pixel of the images; default: enough for 192 pixels.

    Raises ValueError when numbers or sizes do not fit.
    """

    def __init__(
        self,
        walked: Images,
        solved: Images,
        *,
        final: Sequence[int] | None = None,
        alt: str = "restored photo",
        scale: int | None = None,
    ) -> None:
        self.walked = [to_picture(image) for image in walked]
        self.solved = [to_picture(image) for image in solved]
        self.steps, self.sweeps = len(self.walked) - 1, len(self.solved) - 1
        if not 1 <= self.sweeps <= self.steps:
            raise ValueError(
                f"solved: got {self.sweeps} sweeps for {self.steps} steps; expected 1 to as many"
            )
        sizes = sorted({picture.size for picture in [*self.walked, *self.solved]})
        if len(sizes) > 1:
            raise ValueError(f"walked, solved: got sizes {sizes}; expected all of one size")
        guaranteed = [*range(self.sweeps), self.steps]
        self.final = guaranteed if final is None else list(final)
        rising = self.final == sorted(self.final) and min(self.final, default=-1) >= 0
        if len(self.final) != self.sweeps + 1 or not rising or self.final[-1] != self.steps:
            raise ValueError(
                f"final: got {self.final}; expected {self.sweeps + 1} numbers that do not fall, "
                f"from 0 at least to {self.steps} at the end"
            )
        self.alt = alt
        self.scale = math.ceil(192 / sizes[0][0]) if scale is None else scale

    def _repr_html_(self) -> str:
        """The animation. Without scripts its first frame is seen."""
        ticks = range(self.steps + 1)
        walk = [(tick, tick, min(tick + 1, self.steps)) for tick in ticks]
        solve = [(min(tick, self.sweeps), *self._at_once(tick)) for tick in ticks]
        width = max(self.walked[0].width * self.scale, _SIDE * self.steps)
        content = (
            '<div style="display:grid;gap:0.4rem 1.2rem;justify-content:center;'
            f'grid-template-columns:repeat(auto-fit,minmax(min(100%,{width}px),max-content))">'
            f"{self._panel('Step by step', self.walked, walk)}"
            f"{self._panel('All at once', self.solved, solve)}</div>"
        )
        captions = [self._caption(tick) for tick in ticks]
        return player(content, captions, label="Calls of the network")

    def _repr_png_(self) -> bytes:
        """Some moments of both, for print."""
        moments = sorted({0, 1, self.sweeps, (self.sweeps + self.steps) // 2, self.steps})
        pictures = [self.walked[k] for k in moments]
        pictures += [self.solved[min(k, self.sweeps)] for k in moments]
        labels = [f"{k} calls" for k in moments] * 2
        return png_bytes(side_by_side(pictures, labels=labels))

    def _at_once(self, tick: int) -> tuple[int, int]:
        """How many states are final, and how many are final or worked on."""
        return self.final[min(tick, self.sweeps)], self.steps

    def _caption(self, tick: int) -> str:
        walked = f"step by step, {tick} of {self.steps} steps"
        if tick < self.sweeps:
            return f"{tick}: {walked}; all at once, {tick} of {self.sweeps} sweeps"
        return f"{tick}: {walked}; all at once, done after {self.sweeps} sweeps"

    def _panel(
        self, title: str, pictures: list[Image.Image], moments: list[tuple[int, int, int]]
    ) -> str:
        """Title, squares and photo; a moment is (picture, states that are final, worked on)."""
        squares = {moment[1:]: "" for moment in moments}
        for done, begun in squares:
            when = [str(k) for k, moment in enumerate(moments) if moment[1:] == (done, begun)]
            squares[done, begun] = f"<g {_seen(when)}>{self._squares(done, begun)}</g>"
        photos = []
        for number, picture in enumerate(pictures):
            when = [str(k) for k, moment in enumerate(moments) if moment[0] == number]
            photos.append(
                f'<img class="dark-light" {_seen(when, self._size)} '
                f'alt="{html.escape(f"{self.alt}, {title.lower()}, after {number}")}" '
                f'src="{webp_address(picture)}">'
            )
        wide = _SIDE * self.steps
        return (
            f'<div style="text-align:center"><div>{title}</div>'
            f'<svg role="img" aria-label="{title}: the states that are final and worked on" '
            f'viewBox="0 0 {wide} {_SIDE}" stroke="{INK}" stroke-width="0.5" '
            f'stroke-linejoin="round" style="width:{wide}px;max-width:100%;display:block;'
            f'margin:auto">{"".join(squares.values())}</svg>{"".join(photos)}</div>'
        )

    @property
    def _size(self) -> str:
        width = self.walked[0].width * self.scale
        return (
            f"width:{width}px;max-width:100%;height:auto;margin:0.4rem auto 0;"
            "image-rendering:pixelated"
        )

    def _squares(self, done: int, begun: int) -> str:
        """One path for the squares of each colour: a page has many moments."""
        inner = _SIDE - 2
        square = f"h{inner}v{inner}h-{inner}z"
        spans = {COLORS[0]: (0, done), COLORS[6]: (done, begun), GRID: (begun, self.steps)}
        return "".join(
            f'<path fill="{color}" d="'
            f'{"".join(f"M{_SIDE * k + 1} 1{square}" for k in range(*span))}"/>'
            for color, span in spans.items()
            if span[0] < span[1]
        )


def _seen(when: Sequence[str], style: str = "") -> str:
    hidden = "" if "0" in when else "display:none;"
    return f'data-frame="{" ".join(when)}" style="{hidden}{style}"'

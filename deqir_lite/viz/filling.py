"""The staircase as a film: all states of a chain after each sweep, and which of them are final."""

import html
from collections.abc import Sequence

import torch
from PIL import Image

from deqir_lite.images import side_by_side, to_picture
from deqir_lite.viz._pictures import png_bytes, webp_address
from deqir_lite.viz.player import player
from deqir_lite.viz.style import COLORS, GRID, INK

_WIDEST = 56  # screen pixels of a photo
_SIDE, _TALL = 20, 10  # units of a cell of the table


class SweepStaircase:
    """An animation: the photos x_{T-1}, ..., x_0 after each sweep, under a table that fills.

    A row of the table is a sweep, a column the state that lies under it. Final states are blue,
    the others orange; rows to come are grey.

    Args:
        states: all states before the first sweep and after each of the S sweeps, S + 1 tensors
            (T + 1, 3, H, W) or (T + 1, 1, 3, H, W) in [-1, 1], noisiest first, x_T among them.
        tolerance: a state counts as final from the sweep on from which no pixel is farther from
            where it ends.
        alt: what the photo is.

    Raises ValueError for another shape, fewer than one sweep or state, or a negative tolerance.
    """

    def __init__(
        self,
        states: Sequence[torch.Tensor],
        *,
        tolerance: float = 1e-3,
        alt: str = "restored photo",
    ) -> None:
        shapes = sorted({tuple(each.shape) for each in states})
        if len(shapes) != 1 or len(states) < 2:
            raise ValueError(f"states: got {len(states)} of shapes {shapes}; expected 2 or more")
        table = torch.stack(list(states)).detach().cpu()
        if table.ndim == 6 and table.shape[2] == 1:
            table = table[:, :, 0]
        if table.ndim != 5 or table.shape[2] != 3 or table.shape[1] < 2:
            raise ValueError(f"states: got shape {shapes[0]}; expected (T + 1, 3, H, W), T >= 1")
        if not tolerance >= 0:
            raise ValueError(f"tolerance: got {tolerance}; expected a number >= 0")
        self.states = table[:, 1:]
        self.sweeps, self.steps = len(self.states) - 1, self.states.shape[1]
        away = (self.states - self.states[-1]).abs().amax(dim=(2, 3, 4)) > tolerance
        # state k is final after sweep j when neither it nor one before it is away from then on
        self.final = [int((~away[j:].any(0)).long().cumprod(0).sum()) for j in range(len(away))]
        self.alt = alt

    def _repr_html_(self) -> str:
        """The animation. Without scripts its first frame is seen."""
        width = _WIDEST * self.steps
        columns = "".join(self._column(k) for k in range(self.steps))
        photos = f'<div style="display:flex">{columns}</div>'
        captions = [
            f"Sweep {j}: {done} of {self.steps} states are final"
            for j, done in enumerate(self.final)
        ]
        return player(self._table() + photos, captions, label="Sweep", width=width)

    def _repr_png_(self) -> bytes:
        """The last state after some of the sweeps, for print."""
        moments = sorted({0, self.sweeps // 4, self.sweeps // 2, self.sweeps})
        pictures = [to_picture(self.states[j, -1]) for j in moments]
        return png_bytes(side_by_side(pictures, labels=[f"sweep {j}" for j in moments]))

    def _table(self) -> str:
        """Rows of cells that are seen from their sweep on; below them the grey ones to come."""
        wide, rows = _SIDE * self.steps, self.sweeps + 1
        drawn = [_cells(range(self.steps), range(rows), GRID)]
        for row, done in enumerate(self.final):
            cells = _cells(range(done), [row], COLORS[0])
            cells += _cells(range(done, self.steps), [row], COLORS[6])
            drawn.append(f"<g {_seen(range(row, rows))}>{cells}</g>")
        return (
            '<svg role="img" aria-label="Table of sweeps and states: the states that are final" '
            f'viewBox="0 0 {wide} {_TALL * rows}" stroke="{INK}" stroke-width="0.4" '
            f'style="width:100%;display:block">{"".join(drawn)}</svg>'
        )

    def _column(self, k: int) -> str:
        """The pictures of one state, each seen as long as it stays the same."""
        pictures: list[Image.Image] = []
        when: list[list[int]] = []
        for j in range(self.sweeps + 1):
            picture = to_picture(self.states[j, k])
            if pictures and picture.tobytes() == pictures[-1].tobytes():
                when[-1].append(j)
            else:
                pictures.append(picture)
                when.append([j])
        name = f"{self.alt}, state {k + 1} of {self.steps}"
        images = "".join(
            f'<img class="dark-light" alt="{html.escape(f"{name}, after sweep {seen[0]}")}" '
            f"{_seen(seen, 'width:100%;height:auto;margin:0;padding:0;image-rendering:pixelated')} "
            f'src="{webp_address(picture)}">'
            for picture, seen in zip(pictures, when, strict=True)
        )
        return f'<div style="flex:1 1 0;min-width:0;padding:1px">{images}</div>'


def _cells(columns: Sequence[int], rows: Sequence[int], color: str) -> str:
    if not columns:
        return ""
    cell = f"h{_SIDE - 2}v{_TALL - 2}h-{_SIDE - 2}z"
    places = (f"M{_SIDE * k + 1} {_TALL * row + 1}{cell}" for row in rows for k in columns)
    return f'<path fill="{color}" d="{"".join(places)}"/>'


def _seen(when: Sequence[int], style: str = "") -> str:
    hidden = "" if 0 in when else "display:none;"
    return f'data-frame="{" ".join(map(str, when))}" style="{hidden}{style}"'

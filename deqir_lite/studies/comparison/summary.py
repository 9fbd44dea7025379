"""From single restorations to means over photos, and to differences that are more than chance."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from deqir_lite.metrics import frechet_distance
from deqir_lite.studies.comparison.rows import Row, unpack_features
from deqir_lite.studies.comparison.settings import Setting

QUALITIES = ("psnr", "psnr_cropped", "ssim", "lpips", "lite0_relative")
"""What methods are compared by."""

NUMBERS = (
    *(*QUALITIES, "consistency", "consistency_8bit"),
    *("nfe", "sweeps", "seconds", "peak_bytes"),
)

FRECHET = "frechet_lite0_relative"
"""The Fréchet distance of all restored photos of a setting from their originals, in
:func:`deqir_lite.metrics.features.mean_features`; for relative use."""

FID = "fid"
"""The same in features of Inception v3."""

RESAMPLES, LEVEL = 10_000, 0.95

FEWEST = 6
"""So many photos a verdict needs, since of two equal methods one is better on all of 5 in 6 % of
all cases, more often than the interval shall be wrong."""


class Difference(NamedTuple):
    """Mean over the photos that both have, and the ends of its interval."""

    mean: float
    low: float
    high: float
    photos: int

    @property
    def real(self) -> bool:
        """Whether it may be called a difference, with zero outside and enough photos."""
        return self.photos >= FEWEST and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Cell:
    """One setting: ``means`` over ``photos`` photos, of each first over its seeds, and the Fréchet
    distances; what is not known is None. ``failed`` restorations have no numbers. ``differences``
    from the ``reference``, by quality, where both have photos in common; None and empty for a
    reference itself."""

    setting: Setting
    photos: int
    seeds: int
    failed: int
    means: dict[str, float | None]
    reference: Setting | None
    differences: dict[str, Difference]


def paired_bootstrap(differences: Sequence[float]) -> tuple[float, float]:
    """The ends of the 95 % interval of the mean of ``differences`` (n,), one for each photo: the
    percentiles of the means of 10,000 resamples, seeded (Efron & Tibshirani 1993, chapter 13)."""
    values = np.asarray(differences, dtype=float)
    generator = np.random.default_rng(0)
    means = np.concatenate(
        [
            values[generator.integers(len(values), size=(RESAMPLES // 10, len(values)))].mean(
                axis=1
            )
            for _ in range(10)  # one piece of a thousand photos is 8 MB
        ]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def summarise(rows: Iterable[Row], *, reference: str) -> list[Cell]:
    """One cell for each setting, in the order of the rows.

    Each is compared with the setting of the method ``reference`` on the same task, size and noise;
    of several such settings with the one of as many steps, of these with that of the same form, of
    the same spacing, of the same eta, and else with the first.
    """
    by_setting: dict[Setting, list[Row]] = {}
    for row in rows:
        by_setting.setdefault(row.setting, []).append(row)
    values = {setting: _by_photo(group) for setting, group in by_setting.items()}
    return [
        _cell(setting, group, values, _reference_of(setting, values, reference))
        for setting, group in by_setting.items()
    ]


Values = dict[str, dict[str, float | None]]
"""Photo -> number -> mean over the seeds."""


def _by_photo(rows: list[Row]) -> Values:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.photo, []).append(row)
    return {
        photo: {name: _mean(getattr(row, name) for row in group) for name in NUMBERS}
        for photo, group in groups.items()
        if all(row.failed is None for row in group)
    }


def _reference_of(setting: Setting, known: Iterable[Setting], reference: str) -> Setting | None:
    """The most alike of the settings of the ``reference`` on the same task."""

    def alike(other: Setting) -> tuple[bool, ...]:
        return tuple(
            getattr(other, name) == getattr(setting, name)
            for name in ("timesteps", "form", "spacing", "eta")
        )

    where = (setting.task, setting.size, setting.sigma_y)
    others = [
        other
        for other in known
        if other.method == reference and (other.task, other.size, other.sigma_y) == where
    ]
    return max(others, key=alike, default=None)


def _cell(
    setting: Setting, rows: list[Row], values: dict[Setting, Values], against: Setting | None
) -> Cell:
    own = values[setting]
    means = {name: _mean(numbers[name] for numbers in own.values()) for name in NUMBERS}
    peaks = [row.peak_bytes for row in rows if row.peak_bytes is not None]
    means["peak_bytes"] = max(peaks, default=None)
    means[FRECHET], means[FID] = _frechet(rows, "features"), _frechet(rows, "inception")
    differences = {}
    against = None if against == setting else against
    if against is not None:
        there = values[against]
        common = [photo for photo in own if photo in there]
        for name in QUALITIES:
            pairs = [(own[photo][name], there[photo][name]) for photo in common]
            found = [a - b for a, b in pairs if a is not None and b is not None]
            if len(found) > 1 and all(map(math.isfinite, found)):
                mean = sum(found) / len(found)
                differences[name] = Difference(mean, *paired_bootstrap(found), len(found))
    seeds = len({row.seed for row in rows})
    failed = sum(row.failed is not None for row in rows)
    return Cell(setting, len(own), seeds, failed, means, against, differences)


def _frechet(rows: list[Row], features: str) -> float | None:
    pairs = {
        (row.photo, row.seed): unpack_features(packed)
        for row in rows
        if (packed := getattr(row, features)) is not None
    }
    originals = {photo: pair[1] for (photo, _), pair in pairs.items()}
    if len(originals) < 2:
        return None
    restored = torch.stack([pair[0] for pair in pairs.values()])
    return frechet_distance(restored, torch.stack(list(originals.values())))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

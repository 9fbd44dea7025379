"""Means over photos, and what may be called a difference."""

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from deqir_lite.metrics import frechet_distance
from deqir_lite.studies.comparison.rows import pack_features
from deqir_lite.studies.comparison.summary import FEWEST, FID, FRECHET, paired_bootstrap, summarise


def cell_of(rows, method="weighted", reference="ddnm"):
    return next(c for c in summarise(rows, reference=reference) if c.setting.method == method)


def test_the_interval_is_that_of_an_independent_bootstrap():
    values = np.random.default_rng(1).normal(0.3, 1.0, 25)
    other = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile")
    np.testing.assert_allclose(
        paired_bootstrap(values), [*other.confidence_interval], atol=0.03 * np.std(values)
    )
    assert paired_bootstrap(values) == paired_bootstrap(list(values))
    assert paired_bootstrap([0.5] * 8) == (0.5, 0.5)


def test_the_interval_holds_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        low, high = paired_bootstrap(generator.normal(1.0, 1.0, 30))
        hits += low <= 1.0 <= high
    assert 86 <= hits <= 99  # 95 % less what 30 photos cost; three deviations


def test_a_mean_is_over_seeds_first(row):
    rows = [row("ddnm", "a", 20.0), row("ddnm", "b", 10.0)]
    rows += [row("ddnm", "b", 40.0, seed=1)]
    cell = cell_of(rows, "ddnm")
    assert cell.means["psnr"] == pytest.approx((20 + 25) / 2)
    assert (cell.photos, cell.seeds, cell.reference) == (2, 2, None)
    assert cell.differences == {}


def test_only_photos_that_both_have_are_compared(row):
    rows = [row("ddnm", photo, 20.0) for photo in "abcdefgh"]
    rows += [row("weighted", photo, 20.5) for photo in "abcdefg"] + [row("weighted", "z", 90.0)]
    difference = cell_of(rows).differences["psnr"]
    assert difference == pytest.approx((0.5, 0.5, 0.5, 7))
    assert difference.real


@pytest.mark.parametrize(
    ("gains", "real"),
    [
        ([1.0] * (FEWEST - 1), False),
        ([1.0] * FEWEST, True),
        ([-1.0] * FEWEST, True),
        ([1.0, -1.0] * FEWEST, False),
        ([0.0] * FEWEST, False),
    ],
)
def test_a_difference_is_called_one_when_the_interval_says_so(row, gains, real):
    rows = [row("ddnm", f"{k}", 20.0 + k) for k in range(len(gains))]
    rows += [row("weighted", f"{k}", 20.0 + k + gain) for k, gain in enumerate(gains)]
    assert cell_of(rows).differences["psnr"].real == real


def test_failed_and_unknown_numbers_count_in_no_mean(row):
    rows = [row("ddnm", photo, 20.0) for photo in "ab"]
    rows += [row("weighted", "a", 30.0), row("weighted", "b", None, failed="diverged")]
    cell = cell_of(rows)
    assert (cell.means["psnr"], cell.photos, cell.failed) == (30.0, 1, 1)
    assert cell.means["lpips"] is None
    assert cell.differences == {}  # one photo has no spread


@pytest.mark.parametrize(("column", "number"), [("features", FRECHET), ("inception", FID)])
def test_the_frechet_distances_are_of_all_photos_and_seeds(row, column, number):
    features = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0)).half().float()
    features[1, 1] = features[0, 1]  # two seeds of one photo
    rows = [
        row("ddnm", photo, seed=seed, **{column: pack_features(pair)})
        for (photo, seed), pair in zip([("a", 0), ("a", 1), ("b", 0)], features, strict=True)
    ]
    expected = frechet_distance(features[:, 0], features[[0, 2], 1])
    assert cell_of(rows, "ddnm").means[number] == pytest.approx(expected)
    assert cell_of(rows[:2], "ddnm").means[number] is None, "one photo is no set"
    assert cell_of([row("ddnm", "a")], "ddnm").means[number] is None


def test_of_several_references_the_most_alike(row):
    rows = [
        row("ddnm", photo, 10.0 * steps + (form == "noise"), timesteps=steps, form=form)
        for photo in "ab"
        for steps in (2, 3)
        for form in ("none", "noise")
    ]
    rows += [row("weighted", photo, 50.0, timesteps=3, form="noise") for photo in "ab"]
    rows += [row("dps", photo, 50.0, timesteps=9, form="noise") for photo in "ab"]
    assert cell_of(rows).differences["psnr"].mean == pytest.approx(50 - 31)
    assert cell_of(rows, "dps").reference.form == "noise"
    other = [row("ddnm", photo, 10.0, task="sr4") for photo in "ab"]
    assert cell_of([*other, *rows[-4:-2]]).reference is None

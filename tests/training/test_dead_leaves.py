"""Dead leaves: colours and power spectrum of photos, and no end to them."""

import pytest
import torch

from deqir_lite.priors.load import load_gaussian
from deqir_lite.training.dead_leaves import DeadLeaves

SIDE = 128


@pytest.fixture(scope="module")
def spectrum():
    return load_gaussian().spectrum


@pytest.fixture(scope="module")
def pictures(spectrum):
    """Forty pictures (40, 3, SIDE, SIDE) in [-1, 1]."""
    leaves = DeadLeaves(spectrum, side=SIDE, seed=0)
    return torch.stack([leaves.picture(n) for n in range(40)]).double() / 127.5 - 1


def test_a_picture_depends_on_seed_and_number_only(spectrum):
    leaves, again = DeadLeaves(spectrum, side=32, seed=1), DeadLeaves(spectrum, side=32, seed=1)
    first = leaves.picture(5)
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    again.picture(0)
    assert torch.equal(first, again.picture(5))
    many = torch.stack([leaves.picture(n) for n in range(20)])
    assert len(many.flatten(1).unique(dim=0)) == 20
    assert not torch.equal(first, DeadLeaves(spectrum, side=32, seed=2).picture(5))


def test_colours_are_those_of_photos(pictures, spectrum):
    mean = pictures.mean(dim=(0, 2, 3))
    assert (mean - spectrum.mean).abs().max() < 0.06
    colours = (pictures - mean[:, None, None]).transpose(0, 1).flatten(1)
    covariance = colours @ colours.T / colours.shape[1]
    expected = spectrum.covariance.mean(dim=(2, 3))
    assert (covariance - expected).norm() < 0.15 * expected.norm()


def test_power_falls_with_the_square_of_the_frequency(pictures):
    """Fitted where neither the picture's size nor the smallest leaves bend the power law."""
    grey = pictures.mean(dim=1) - pictures.mean()
    window = torch.hann_window(SIDE, periodic=False, dtype=torch.float64)
    power = torch.fft.fft2(grey * window * window[:, None]).abs().square().mean(dim=0)
    f = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    radius = (f.square() + f[:, None].square()).sqrt()
    fitted = (radius > 0.02) & (radius < 0.12)
    line = torch.stack([radius[fitted].log(), torch.ones_like(radius[fitted])], dim=1)
    slope = torch.linalg.lstsq(line, power[fitted].log()[:, None]).solution[0].item()
    assert -2.4 < slope < -1.6


def test_there_are_edges(pictures, spectrum):
    """Steps between neighbours have heavy tails: a Gaussian's kurtosis is 3."""
    steps = pictures.mean(dim=1).diff(dim=-1)
    kurtosis = steps.pow(4).mean() / steps.square().mean().square()
    assert kurtosis > 6


def test_leaves_reach_the_margins_as_they_do_the_middle(pictures):
    variance = pictures.mean(dim=1).var(dim=0)
    margin = torch.cat([variance[:4].flatten(), variance[:, -4:].flatten()]).mean()
    assert 0.75 < margin / variance.mean() < 1.33
    # no corner, and no axis, is preferred
    steps = [pictures.diff(dim=d).square().mean() for d in (-1, -2)]
    assert 0.9 < steps[0] / steps[1] < 1.1


def test_higher_leaves_hide_lower_ones_of_any_size(spectrum):
    """Each visible piece belongs to one leaf: the map of leaves equals painting one by one."""
    import numpy as np

    leaves = DeadLeaves(spectrum, side=24, seed=0)
    scattered = leaves._scatter(np.random.default_rng(3))
    seen = leaves._top_leaf(scattered, np.random.default_rng(7))
    random = np.random.default_rng(7)
    ground = len(scattered.x) - 1
    order, rectangular = random.permutation(ground), random.random(ground) < 0.5
    slow = np.full((24, 24), ground)
    row, column = np.indices((24, 24))
    for leaf in np.argsort(order):
        dx, dy = column - scattered.x[leaf], row - scattered.y[leaf]
        u = scattered.cos[leaf] * dx + scattered.sin[leaf] * dy
        v = (-scattered.sin[leaf] * dx + scattered.cos[leaf] * dy) / 0.75
        r = scattered.radius[leaf]
        if rectangular[leaf]:
            slow[np.maximum(abs(u), abs(v)) <= 0.75 * r] = leaf
        else:
            slow[u**2 + v**2 <= r**2] = leaf
    assert (seen.reshape(24, 24) != slow).mean() < 0.005  # rounding at the outlines
    assert len(np.unique(seen)) > 10


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"side": 8}, "side: got 8; expected an integer >= 16"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_refusals(spectrum, argument, message):
    with pytest.raises(ValueError, match=message):
        DeadLeaves(spectrum, **argument)
    with pytest.raises(ValueError, match="number: got -1"):
        DeadLeaves(spectrum, side=16).picture(-1)

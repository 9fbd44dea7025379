"""Photos, dead leaves, or both, in the shares that were asked for."""

import pytest
import torch

from deqir_lite.training import data as module
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import split_photos

FLAT = [torch.full((3, 20, 24), value, dtype=torch.uint8) for value in (10, 60, 200)]


@pytest.fixture(autouse=True)
def _small_pool(monkeypatch):
    monkeypatch.setattr(module, "POOL", 6)
    monkeypatch.setattr(module, "HELD_OUT", 3)


def generator():
    return torch.Generator().manual_seed(0)


def flat_share(crops):
    """How many of the crops show one of the flat photos."""
    return (crops.flatten(1).std(dim=1) < 1e-3).double().mean().item()


def test_photos_only_by_default_and_the_held_out_one_only_in_validation():
    data = TrainingData(FLAT, 16)
    crops = data.draw(60, 0, generator(), 16)
    held_out = split_photos(FLAT)[1][0][0, 0, 0]
    levels = {round((float(v) + 1) * 127.5) for v in crops[:, 0, 0, 0].unique()}
    assert levels == {60, 200}
    assert {round((float(v) + 1) * 127.5) for v in data.validation.unique()} == {int(held_out)}
    assert data.describe() == {"training": 2, "held_out": 1, "dead_leaves": 0.0, "pixels": 1440}


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_the_share_of_dead_leaves(share):
    data = TrainingData(FLAT, 16, dead_leaves=share)
    assert abs(1 - flat_share(data.draw(1000, 0, generator(), 16)) - share) < 0.05
    assert data.describe() == {"training": 2, "held_out": 1, "dead_leaves": share, "pixels": 1440}


def test_leaves_alone_need_no_photos_and_are_judged_on_pictures_of_their_own():
    data = TrainingData([], 16, dead_leaves=1.0)
    assert flat_share(data.draw(50, 0, generator(), 16)) < 0.2
    assert data.describe() == {"training": 0, "held_out": 0, "dead_leaves": 1.0, "pixels": 0}
    assert torch.equal(data.validation, TrainingData([], 16, dead_leaves=1.0).validation)
    assert data.validation.shape == (64, 3, 16, 16)
    first = module.DeadLeaves(module.load_gaussian().spectrum, side=64, seed=0)
    shown = data._samplers[16]._pixels.reshape(6, -1, 3)[:, : 64 * 64]
    for held_out in range(3):
        flat = first.picture(held_out).flatten(1).t()
        assert not (shown == flat).flatten(1).all(dim=1).any()


def test_with_photos_and_leaves_alone_the_photos_only_judge():
    data = TrainingData(FLAT, 16, dead_leaves=1.0)
    assert flat_share(data.draw(50, 0, generator(), 16)) < 0.2
    assert len(data.validation.unique()) == 1
    assert data.describe() == {"training": 0, "held_out": 1, "dead_leaves": 1.0, "pixels": 1440}


def test_the_stream_goes_on_and_a_resumed_run_joins_it_where_it_is():
    data = TrainingData(FLAT, 16, dead_leaves=0.5)
    early = data.draw(40, 0, generator(), 16)
    assert torch.equal(data.draw(40, module.STEPS_PER_PICTURE - 1, generator(), 16), early)
    later = data.draw(40, 9 * module.STEPS_PER_PICTURE, generator(), 16)
    assert not torch.equal(later, early)
    resumed = TrainingData(FLAT, 16, dead_leaves=0.5)
    assert torch.equal(resumed.draw(40, 9 * module.STEPS_PER_PICTURE, generator(), 16), later)
    other = TrainingData(FLAT, 16, dead_leaves=0.5, seed=1)
    assert not torch.equal(other.draw(40, 0, generator(), 16), early)


def test_larger_crops_of_the_same_pictures_for_the_end_of_a_run():
    data = TrainingData([*FLAT, *FLAT], 16, dead_leaves=0.5, final_size=20)
    assert data.draw(3, 0, generator(), 16).shape == (3, 3, 16, 16)
    crops = data.draw(200, 5 * module.STEPS_PER_PICTURE, generator(), 20)
    assert crops.shape == (200, 3, 20, 20)
    assert 0.35 < flat_share(crops) < 0.65
    assert data.validation.shape[-1] == 16


def test_refusals():
    with pytest.raises(ValueError, match=r"dead_leaves: got 1.5; expected a number in \[0, 1\]"):
        TrainingData(FLAT, 16, dead_leaves=1.5)
    with pytest.raises(ValueError, match="photos: got 0; training needs at least 2"):
        TrainingData([], 16, dead_leaves=0.5)

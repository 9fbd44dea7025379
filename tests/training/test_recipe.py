"""Learning rate, crops, timesteps and network of the recipe."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.training.recipe import Recipe, sample_timesteps


def test_learning_rate_warms_up_by_steps_stays_and_falls_to_zero_by_time():
    recipe = Recipe(warmup=100, decay=0.25)
    assert [recipe.learning_rate(step, 0.0) for step in (0, 49, 99, 5000)] == [0.01, 0.5, 1.0, 1.0]
    assert {recipe.learning_rate(5000, p / 100) for p in range(76)} == {1.0}
    falling = [recipe.learning_rate(5000, p) for p in (0.8125, 0.875, 0.9375, 1.0)]
    assert falling == [0.75, 0.5, 0.25, 0.0]
    assert recipe.learning_rate(5000, 7.0) == 0.0  # more time than was planned
    assert recipe.learning_rate(49, 0.875) == 0.25
    assert Recipe(decay=0.0).learning_rate(5000, 1.0) == 1.0


def test_larger_crops_in_the_decay_have_as_many_pixels_in_smaller_batches():
    recipe = Recipe(crop=64, final_crop=96, batch=36, decay=0.25)
    assert recipe.crops(0.0) == recipe.crops(0.74) == (36, 64)
    assert recipe.crops(0.75) == recipe.crops(1.0) == (16, 96)
    assert Recipe(batch=1, final_crop=128).crops(1.0) == (1, 128)
    assert Recipe(batch=7).crops(1.0) == (7, 64)


@given(st.integers(1, 65), st.integers(1, 1000), st.integers(0, 99), st.floats(0, 1))
def test_timesteps_are_in_range(batch, steps, seed, low_noise):
    t = sample_timesteps(batch, steps, torch.Generator().manual_seed(seed), low_noise)
    assert t.shape == (batch,)
    assert t.dtype == torch.int64
    assert t.min() >= 0
    assert t.max() < steps


@pytest.mark.parametrize("low_noise", [0.0, 0.25, 0.75, 1.0])
def test_share_of_the_timesteps_towards_low_noise(low_noise):
    """Below 1/8 lie half of the cubed numbers and an eighth of the others."""
    t = sample_timesteps(40000, 1000, torch.Generator().manual_seed(0), low_noise)
    expected = low_noise / 2 + (1 - low_noise) / 8
    assert abs((t < 125).double().mean() - expected) < 0.015
    assert t.max() > 990


def test_defaults_of_a_device_can_be_changed():
    assert Recipe.for_device("cpu") == Recipe()
    cuda = Recipe.for_device("cuda:1", patch=1, crop=32)
    assert cuda.batch >= 128
    assert cuda.muon_lr > Recipe().muon_lr
    assert (cuda.patch, cuda.crop) == (1, 32)
    assert Recipe.for_device(torch.device("cuda"), batch=7).batch == 7


def test_a_recipe_leaves_the_global_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Recipe()
    assert torch.equal(torch.rand(3), expected)


def test_default_network_is_small():
    parameters = sum(p.numel() for p in Recipe().build_network().parameters())
    assert 4e6 < parameters < 8e6  # at most 16 MB in half precision


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"crop": 60}, "crop: got 60; this network needs a multiple of 16"),
        ({"crop": 0}, "crop: got 0"),
        ({"patch": 0}, "patch: got 0"),
        ({"batch": -1}, "batch: got -1"),
        ({"warmup": 0}, "warmup: got 0"),
        ({"channels": ()}, "channels: got none"),
        ({"final_crop": 100}, "final_crop: got 100; this network needs a multiple of 16"),
        ({"final_crop": 0}, "final_crop: got 0"),
        ({"channels": (16, 2.5)}, "channels: got 2.5"),
        ({"muon_lr": -1.0}, "muon_lr: got -1.0"),
        ({"adam_lr": math.nan}, "adam_lr: got nan"),
        ({"decay": 1.5}, "decay: got 1.5"),
        ({"ema_decays": (0.9, 1.5)}, "ema_decays: got 1.5"),
        ({"ema_decays": ()}, "ema_decays: got none"),
        ({"blocks": 0}, "blocks: got 0"),
        ({"low_noise": 1.2}, r"low_noise: got 1.2; expected a number in \[0, 1\]"),
        ({"seed": -1}, "seed: got -1"),
        ({"num_train_timesteps": 500}, "num_train_timesteps: got 500; expected an integer >= 1000"),
    ],
)
def test_bad_recipes(argument, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**argument)

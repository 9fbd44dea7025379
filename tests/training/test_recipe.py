"""Learning rate, timesteps, target and network of the recipe."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.priors import to_epsilon
from deqir_lite.training.recipe import Recipe, sample_timesteps, v_target, weighted_loss


def test_learning_rate_warms_up_by_steps_and_falls_by_time():
    recipe = Recipe(peak_lr=1.0, warmup=100)
    assert math.isclose(recipe.learning_rate(0, 0.0), 0.01)
    assert math.isclose(recipe.learning_rate(49, 0.0), 0.5)
    assert math.isclose(recipe.learning_rate(99, 0.0), 1.0)
    assert math.isclose(recipe.learning_rate(5000, 0.5), 0.505)
    assert math.isclose(recipe.learning_rate(5000, 1.0), 0.01)
    assert math.isclose(recipe.learning_rate(5000, 7.0), 0.01)  # more time than was planned
    curve = [recipe.learning_rate(5000, p / 20) for p in range(21)]
    assert curve == sorted(curve, reverse=True)


@given(st.integers(1, 65), st.integers(1, 1000), st.integers(0, 99))
def test_timesteps_are_in_range(batch, steps, seed):
    t = sample_timesteps(batch, steps, torch.Generator().manual_seed(seed))
    assert t.shape == (batch,)
    assert t.dtype == torch.int64
    assert t.min() >= 0
    assert t.max() < steps


def test_half_of_the_timesteps_are_drawn_towards_low_noise():
    """u^2 lies below 1/4 half of the time, u a quarter of the time."""
    t = sample_timesteps(40000, 1000, torch.Generator().manual_seed(0)).double()
    assert abs((t[:20000] < 250).double().mean() - 0.5) < 0.02
    assert abs((t[20000:] < 250).double().mean() - 0.25) < 0.02
    assert t.max() > 990


@pytest.mark.parametrize("low_noise", [0.0, 0.25, 1.0])
def test_share_of_the_timesteps_towards_low_noise(low_noise):
    """Below 1/4 lie half of the squared numbers and a quarter of the others."""
    t = sample_timesteps(40000, 1000, torch.Generator().manual_seed(0), low_noise)
    expected = low_noise / 2 + (1 - low_noise) / 4
    assert abs((t < 250).double().mean() - expected) < 0.015


def test_epsilon_weighting_is_the_error_of_the_noise():
    generator = torch.Generator().manual_seed(0)
    x0, eps, wrong = torch.randn(3, 5, 3, 4, 4, generator=generator, dtype=torch.float64)
    signal, noise = Recipe().schedule.at(torch.tensor([0, 200, 400, 700, 999]), x0)
    x_t, v = signal * x0 + noise * eps, v_target(x0, eps, signal, noise)
    error = to_epsilon(wrong, x_t, signal, noise, "v_prediction") - eps
    loss = weighted_loss(wrong, v, signal, "epsilon")
    torch.testing.assert_close(loss, error.square().mean())
    torch.testing.assert_close(weighted_loss(wrong, v, signal, "v"), (wrong - v).square().mean())


def test_deeper_levels_have_more_layers(recipe):
    def layers(depth):
        unet = dataclasses.replace(recipe, layers_per_block=depth).build_unet()
        return len(unet.down_blocks[0].resnets)

    assert (layers(1), layers(2)) == (1, 2)


def test_defaults_of_a_device_can_be_changed():
    assert Recipe.for_device("cpu") == Recipe()
    cuda = Recipe.for_device("cuda:1", patch=1, crop=32)
    assert cuda.batch >= 128
    assert cuda.peak_lr > Recipe().peak_lr
    assert (cuda.patch, cuda.crop) == (1, 32)
    assert Recipe.for_device(torch.device("cuda"), batch=7).batch == 7


def test_v_is_what_the_prior_turns_back_into_noise():
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 3, 3, 4, 4, generator=generator, dtype=torch.float64)
    signal, noise = Recipe().schedule.at(torch.tensor([0, 400, 999]), x0)
    v = v_target(x0, eps, signal, noise)
    x_t = signal * x0 + noise * eps
    torch.testing.assert_close(to_epsilon(v, x_t, signal, noise, "v_prediction"), eps)


def test_network_maps_unshuffled_crops_to_themselves(recipe):
    unet = recipe.build_unet()
    x = torch.zeros(1, 12, 8, 8)
    with torch.no_grad():
        assert unet(x, torch.tensor([3])).sample.shape == x.shape
    assert sum("attentions" in name for name, _ in unet.named_parameters()) > 0


def test_default_network_is_small():
    parameters = sum(p.numel() for p in Recipe().build_unet().parameters())
    assert 6e6 < parameters < 8.4e6  # at most 16 MB in half precision


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"crop": 60}, "crop: got 60; this network needs a multiple of 16"),
        ({"crop": 0}, "crop: got 0"),
        ({"patch": 0}, "patch: got 0"),
        ({"batch": -1}, "batch: got -1"),
        ({"warmup": 0}, "warmup: got 0"),
        ({"channels": ()}, "channels: got none"),
        ({"channels": (16, 20)}, "channels: got 20; expected multiples of 16"),
        ({"channels": (16, 2.5)}, "channels: got 2.5"),
        ({"peak_lr": -1.0}, "peak_lr: got -1.0"),
        ({"peak_lr": math.nan}, "peak_lr: got nan"),
        ({"ema_decays": (0.9, 1.5)}, "ema_decays: got 1.5"),
        ({"ema_decays": ()}, "ema_decays: got none"),
        ({"layers_per_block": 0}, "layers_per_block: got 0"),
        ({"low_noise": 1.2}, r"low_noise: got 1.2; expected a number in \[0, 1\]"),
        ({"weighting": "snr"}, "weighting: unknown value 'snr'; known: v, epsilon"),
        ({"seed": -1}, "seed: got -1"),
        ({"num_train_timesteps": 500}, "num_train_timesteps: got 500; expected an integer >= 1000"),
    ],
)
def test_bad_recipes(argument, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**argument)

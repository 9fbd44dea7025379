"""Noise, v and x_0 predictions of one model are one prior."""

import pytest
import torch

from deqir_lite.priors import (
    PREDICTION_TYPES,
    ModelPrior,
    Prior,
    epsilon_from_x0,
    predict_x0,
    to_epsilon,
)
from deqir_lite.schedule import linear_schedule

SCHEDULE = linear_schedule()
T = torch.tensor([0, 30, 400, 999])


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 3, 8, 8, generator=generator, dtype=torch.float64)


@pytest.mark.equation("2")
def test_x0_and_noise_prediction_are_inverse(images):
    x0, eps = images
    signal, noise = SCHEDULE.at(T, x0)
    x_t = signal * x0 + noise * eps
    torch.testing.assert_close(predict_x0(x_t, eps, signal, noise), x0)
    torch.testing.assert_close(epsilon_from_x0(x_t, x0, signal, noise), eps)


def test_every_prediction_type_of_one_model_gives_the_same_noise(images):
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler()
    scheduler.alphas_cumprod = SCHEDULE.alpha_bar
    x0, eps = images
    signal, noise = SCHEDULE.at(T, x0)
    x_t = signal * x0 + noise * eps
    velocity = scheduler.get_velocity(x0, eps, T)
    for kind, output in [("epsilon", eps), ("v_prediction", velocity), ("sample", x0)]:
        torch.testing.assert_close(to_epsilon(output, x_t, signal, noise, kind), eps)
        prior = ModelPrior(lambda x, t, output=output: output, SCHEDULE, prediction_type=kind)
        assert isinstance(prior, Prior)
        torch.testing.assert_close(prior(x_t, T), eps)


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
def test_clip_x0_clamps_the_implied_photo_and_nothing_else(images, kind):
    x_t, output = images
    clipped = ModelPrior(lambda x, t: output, SCHEDULE, prediction_type=kind, clip_x0=True)
    free = ModelPrior(lambda x, t: output, SCHEDULE, prediction_type=kind)
    signal, noise = SCHEDULE.at(T, x_t)
    x0 = predict_x0(x_t, free(x_t, T), signal, noise)
    assert x0.abs().max() > 1.5
    got = predict_x0(x_t, clipped(x_t, T), signal, noise)
    torch.testing.assert_close(got, x0.clamp(-1, 1), rtol=0, atol=1e-10)


def test_unknown_prediction_type():
    with pytest.raises(ValueError, match="prediction_type: .*known: epsilon, v_prediction, sample"):
        ModelPrior(lambda x, t: x, SCHEDULE, prediction_type="score")
    with pytest.raises(ValueError, match="prediction_type"):
        to_epsilon(*[torch.zeros(1)] * 4, "x0")


def test_model_of_another_shape(images):
    prior = ModelPrior(lambda x, t: x[:, :1], SCHEDULE)
    with pytest.raises(ValueError, match=r"prior: <lambda> returned shape \(4, 1, 8, 8\) for x_t"):
        prior(images[0], T)

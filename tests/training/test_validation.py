"""Validation of a prior on crops that never change."""

import torch

from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.training.photos import load_photos
from deqir_lite.training.validation import LEVELS, validate, validation_crops


def test_validation_is_the_same_at_every_call_and_judges_the_one_step_denoiser(photo_folder):
    photos = load_photos(photo_folder, minimum=16)
    crops = validation_crops(photos, 16, count=8)
    assert torch.equal(crops, validation_crops(photos, 16, count=8))
    gaussian = GaussianPrior(power_law_spectrum(size=16))
    scores = validate(gaussian, crops)
    assert scores == validate(gaussian, crops)
    levels = [scores[f"psnr_t{level}"] for level in LEVELS]
    assert levels == sorted(levels, reverse=True)  # less noise is easier

    asked = []

    def wrong_by_a_tenth(x_t, t):
        asked.append(int(t[0]))
        return (crops + 0.1).clamp(-1, 1)

    oracle = ModelPrior(wrong_by_a_tenth, gaussian.schedule, prediction_type="sample")
    got = validate(oracle, crops)
    assert asked == list(LEVELS)
    mse = ((crops + 0.1).clamp(-1, 1) - crops).square().mean(dim=(1, 2, 3))
    expected = float((10 * (4 / mse).log10()).mean())
    for level in LEVELS:
        assert abs(got[f"psnr_t{level}"] - expected) < 0.02
    # an error e of x_0 makes v off by e / sqrt(1 - abar)
    alpha_bar = gaussian.schedule.alpha_bar[list(LEVELS)]
    assert abs(got["loss"] / float((mse.mean() / (1 - alpha_bar)).mean()) - 1) < 1e-3

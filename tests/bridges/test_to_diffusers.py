"""A prior in the pipelines of diffusers samples what our unconditional chain samples."""

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler

from deqir_lite import load_prior, restore_parallel, restore_sequential
from deqir_lite.bridges.to_diffusers import PriorUNet
from deqir_lite.chain import make_chain
from deqir_lite.methods import DDIMNoise
from deqir_lite.operators import NoMeasurement

SEED, STEPS = 7, 6


def pipeline_of(prior, size, dtype=torch.float64):
    unet = PriorUNet(prior, sample_size=size).to(dtype)
    pipeline = DDIMPipeline(unet=unet, scheduler=DDIMScheduler(clip_sample=False))
    pipeline.set_progress_bar_config(disable=True)
    if dtype == torch.float64:  # diffusers' own table is in float32
        pipeline.scheduler.alphas_cumprod = prior.schedule.alpha_bar
        pipeline.scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=dtype)
    return pipeline


def same_chain(prior, size, eta=0.0, dtype=torch.float64):
    """With the draws that a pipeline makes: x_T, and xi of all steps, which DDIM leaves out."""
    generator = torch.Generator().manual_seed(SEED)
    draws = [
        torch.randn(2, 3, size, size, generator=generator, dtype=dtype) for _ in range(STEPS + 1)
    ]
    return make_chain(
        prior,
        NoMeasurement((size, size)),
        torch.empty(2, 0, dtype=dtype),
        rule=DDIMNoise(eta),
        num_steps=STEPS,
        spacing="uniform",
        x_T=draws[0],
        noise=torch.stack(draws[1:]),
    )


def sampled(pipeline, eta=0.0):
    return pipeline(
        batch_size=2,
        generator=torch.Generator().manual_seed(SEED),
        num_inference_steps=STEPS,
        eta=eta,
        output_type="pt",
    ).images


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_pipeline_is_our_unconditional_chain(nonlinear_prior, eta):
    images = sampled(pipeline_of(nonlinear_prior, 8), eta)
    chain = same_chain(nonlinear_prior, 8, eta)
    for solution in (
        restore_sequential(chain),
        restore_parallel(chain, start="measurement", form="noise", tolerance=1e-14),
    ):
        expected = (solution.x0 / 2 + 0.5).clamp(0, 1)
        torch.testing.assert_close(images, expected, rtol=1e-12, atol=1e-12)


def test_photo64_samples_in_diffusers():
    prior = load_prior("photo64")
    images = sampled(pipeline_of(prior, 64, torch.float32))
    solution = restore_sequential(same_chain(prior, 64, dtype=torch.float32))
    assert images.shape == (2, 3, 64, 64)
    assert (images - (solution.x0 / 2 + 0.5).clamp(0, 1)).abs().max() < 2e-3


def test_ddpm_and_pictures(nonlinear_prior):
    unet = PriorUNet(nonlinear_prior, sample_size=8)
    pipeline = DDPMPipeline(unet=unet, scheduler=DDPMScheduler(clip_sample=False))
    pipeline.set_progress_bar_config(disable=True)
    (picture,) = pipeline(num_inference_steps=3).images
    assert picture.size == (8, 8)


def test_where_the_pipeline_goes_the_prior_goes(nonlinear_prior):
    class Movable:
        schedule, device = nonlinear_prior.schedule, None

        def __call__(self, x_t, t):
            return x_t

        def to(self, device):
            self.device = device

    prior = Movable()
    unet = PriorUNet(prior, sample_size=8)
    assert unet.dtype == torch.float32
    assert unet.to("meta").device.type == prior.device.type == "meta"


def test_calls_as_of_a_unet(nonlinear_prior):
    unet = PriorUNet(nonlinear_prior, sample_size=8)
    x = torch.randn(2, 3, 8, 8)
    expected = nonlinear_prior(x, torch.tensor([30, 30]))
    for t in (30, torch.tensor(30), torch.tensor([30, 30])):
        assert torch.equal(unet(x, t).sample, expected)
        assert torch.equal(unet(x, t, return_dict=False)[0], expected)


@pytest.mark.parametrize(
    ("prior", "size", "message"),
    [
        ("photo64", 64, r"^prior: got 'photo64' \(str\); expected a Prior \(load_prior loads one"),
        (None, 0, "^sample_size: got 0; expected an integer >= 1"),
        (None, 60, "^sample_size: got size 60x60; both sides must be multiples of 16"),
    ],
)
def test_wrong_arguments(prior, size, message):
    with pytest.raises(ValueError, match=message):
        PriorUNet(prior or load_prior("photo64"), sample_size=size)

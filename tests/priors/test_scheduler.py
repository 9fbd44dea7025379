"""The table of a scheduler of diffusers, to the last bit."""

import json
import math

import pytest
import torch

from deqir_lite.priors.load import load_prior

diffusers = pytest.importorskip("diffusers")

from deqir_lite.priors.scheduler import (  # noqa: E402
    BETA_SCHEDULES,
    SMALLEST_ALPHA_BAR,
    schedule_of,
    scheduler_from_config,
)

BETAS = [0.001, 0.004, 0.01, 0.05, 0.2, 0.4]


def table(config):
    return schedule_of(scheduler_from_config(config)).alpha_bar


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("DDPMScheduler", {}),
        *[("DDPMScheduler", {"beta_schedule": name}) for name in BETA_SCHEDULES if name != "exp"],
        ("HeunDiscreteScheduler", {"beta_schedule": "exp", "num_train_timesteps": 100}),
        ("HeunDiscreteScheduler", {}),
        ("DDIMScheduler", {"beta_schedule": "scaled_linear", "beta_start": 1e-3, "beta_end": 0.01}),
        ("DDIMScheduler", {"trained_betas": BETAS}),
        ("DDPMScheduler", {"trained_betas": BETAS, "beta_schedule": "linear"}),
        ("PNDMScheduler", {"num_train_timesteps": 37}),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
        ("EulerDiscreteScheduler", {"beta_schedule": "scaled_linear"}),
        ("UniPCMultistepScheduler", {"prediction_type": "v_prediction"}),
        ("DEISMultistepScheduler", {}),
        ("LCMScheduler", {}),
        ("UnCLIPScheduler", {}),
        ("RePaintScheduler", {"beta_schedule": "sigmoid"}),
    ],
)
def test_the_table_is_that_of_the_scheduler(name, options):
    reference = getattr(diffusers, name)(**options)
    found = table({"_class_name": name, **options})
    assert found.dtype == torch.float64
    assert torch.equal(found, reference.alphas_cumprod.double())
    saved = json.loads(json.dumps(dict(reference.config)))  # as save_pretrained writes it
    assert torch.equal(found, table({"_class_name": name, **saved}))


def test_trained_betas_are_used_whatever_else_is_said():
    expected = torch.tensor(BETAS).double().neg().add(1).cumprod(0)
    found = table({"trained_betas": BETAS, "beta_schedule": "squaredcos_cap_v2"})
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "name", ["DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "LCMScheduler"]
)
@pytest.mark.parametrize("schedule", ["linear", "scaled_linear"])
def test_a_terminal_signal_of_zero(name, schedule):
    options = {
        "rescale_betas_zero_snr": True,
        "beta_schedule": schedule,
        "prediction_type": "v_prediction",
    }
    found = table({"_class_name": name, **options})
    reference = getattr(diffusers, name)(**options).alphas_cumprod.double()
    assert torch.equal(found[:-1], reference[:-1])
    assert found[-1] == min(SMALLEST_ALPHA_BAR, found[-2] / 2)
    plain = table({"_class_name": name, "beta_schedule": schedule})
    assert found[0] == pytest.approx(float(plain[0]), rel=1e-6)  # the low noise stays


def test_v_prediction_is_exact_enough_where_there_is_no_signal(make_unet, tmp_path):
    """x_0 = -v at the last timestep, also by way of the noise and in float32."""
    make_unet(3).save_pretrained(tmp_path)
    diffusers.DDIMScheduler(
        rescale_betas_zero_snr=True, prediction_type="v_prediction"
    ).save_pretrained(tmp_path)
    prior = load_prior(tmp_path)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([999, 999])
    signal, noise = prior.schedule.at(t, x)
    with torch.no_grad():
        x0 = (x - noise * prior(x, t)) / signal
        v = prior.unet(x, t).sample
    torch.testing.assert_close(x0, signal * x - noise * v, rtol=0, atol=5e-3)


def test_noise_that_is_predicted_where_there_is_only_noise():
    with pytest.warns(UserWarning, match=r"^scheduler: at the last timestep there is no signal"):
        table({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True})


@pytest.mark.parametrize(
    "name",
    [
        "ScoreSdeVeScheduler",
        "EDMEulerScheduler",
        "EDMDPMSolverMultistepScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "CMStochasticIterativeScheduler",
        "IPNDMScheduler",
        "DDPMWuerstchenScheduler",
    ],
)
def test_other_diffusions_are_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"^scheduler: {name} is no schedule of a variance-pres"):
        table({"_class_name": name})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"},
            "EulerDiscreteScheduler is no schedule of .* with discrete timesteps; expected one w",
        ),
        (
            {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True},
            "DPMSolverMultistepScheduler is no schedule of a variance-preserving diffusion",
        ),
        ({"_class_name": "WarpScheduler"}, "_class_name: got 'WarpScheduler', no scheduler of"),
        ({"_class_name": "UNet2DModel"}, "_class_name: got 'UNet2DModel', no scheduler of d"),
        ({"_class_name": 5}, "_class_name: got 5; expected it to be a valid string"),
        (
            {"beta_schedule": "warp"},
            r"unknown value 'warp' for DDPMScheduler; known: linear, .*lap",
        ),
        (
            {"_class_name": "DDIMScheduler", "beta_schedule": "sigmoid"},
            "'sigmoid' for DDIMScheduler; known: linear, scaled_linear, squaredcos_cap_v2$",
        ),
        ({"beta_start": "0.1"}, "beta_start: got '0.1'; expected it to be a valid number"),
        ({"beta_end": 3.0}, "the table of DDPMScheduler is none of a diffusion: alpha_bar: expec"),
        ({"beta_start": 0.0, "beta_end": 0.0}, "the table of DDPMScheduler is none of a diffusion"),
        ({"beta_end": math.nan}, "beta_end: got nan; expected it to be a finite n"),
        ({"trained_betas": []}, "trained_betas: got"),
        (
            {"trained_betas": [0.1, "x"]},
            r"trained_betas\.1: got 'x'; expected it to be a valid num",
        ),
        ({"trained_betas": [0.1, -0.1]}, "alpha_bar: expected strictly decreasing"),
        ({"num_train_timesteps": 0}, "num_train_timesteps: got 0; expected it to be greater than"),
        (
            {"num_train_timesteps": 10**9},
            "num_train_timesteps: got 1000000000; expected it to be l",
        ),
        ({"num_train_timesteps": 10.5}, "num_train_timesteps: got 10.5; expected it to be a valid"),
        ({"num_train_timesteps": True}, "num_train_timesteps: got True; expected it to be a valid"),
        ({"rescale_betas_zero_snr": "yes"}, "rescale_betas_zero_snr: got 'yes'; expected it to be"),
        ({"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "magic"}, "magic"),
        ({"_class_name": "VQDiffusionScheduler"}, "makes no VQDiffusionScheduler of it"),
    ],
)
def test_configs_that_no_scheduler_can_be_made_of(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        table(config)
    assert str(caught.value).startswith(("scheduler_config.json: ", "scheduler: "))
    assert "\n" not in str(caught.value)

"""Training on CUDA: the same crops, the same step compiled or not, and a run that learns."""

import pytest
import torch

from deqir_lite.priors.load import load_prior
from deqir_lite.training.checkpoint import load_state
from deqir_lite.training.crops import CropSampler
from deqir_lite.training.data import TrainingData
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

SMALL = Recipe.for_device(
    "cuda", channels=(32, 64), crop=32, final_crop=48, batch=36, warmup=20, ema_decays=(0.9, 0.98)
)


def training_data(pictures, dead_leaves=0.0):
    return TrainingData(
        pictures, SMALL.crop, dead_leaves=dead_leaves, device="cuda", final_size=SMALL.final_crop
    )


@pytest.fixture(scope="module")
def pictures():
    """Smooth waves with one edge each, uint8."""
    y, x = torch.meshgrid(torch.arange(80.0), torch.arange(96.0), indexing="ij")
    waves = []
    for k in range(8):
        wave = torch.stack([torch.sin((x * (k + 1) + y * (8 - k)) / 60 + c) for c in range(3)])
        waves.append(
            (127.5 + 100 * wave * ((x > 10 * k).float() - 0.3)).clamp(0, 255).to(torch.uint8)
        )
    return waves


def test_crops_are_those_of_the_cpu_for_the_same_windows(pictures):
    on_cpu, on_gpu = (CropSampler(pictures, 32, device=device) for device in ("cpu", "cuda"))
    windows = on_cpu.windows(64, torch.Generator().manual_seed(0))
    assert _levels_apart(on_gpu, on_cpu, windows) <= 1
    replaced = pictures[3].flip(-1)
    for sampler in (on_cpu, on_gpu):
        sampler.replace(2, replaced)
    assert _levels_apart(on_gpu, on_cpu, windows) <= 1


def _levels_apart(on_gpu, on_cpu, windows):
    """Both rescale to 8 bits on their own device, and may round a tie to different sides."""
    return round(
        127.5 * float((on_gpu.cut(windows.cuda()).cpu() - on_cpu.cut(windows)).abs().max())
    )


def test_windows_drawn_on_the_device_are_in_range_and_reproducible(pictures):
    sampler = CropSampler(pictures, 32, device="cuda")
    first, second = (sampler.draw(256, torch.Generator("cuda").manual_seed(1)) for _ in range(2))
    assert first.is_cuda
    assert torch.equal(first, second)
    assert first.abs().max() <= 1 + 1e-6


def test_compiled_and_eager_step_agree(pictures):
    """Up to bfloat16: fused kernels round at other places."""
    trainer = Trainer(SMALL, training_data(pictures))
    assert trainer.forward is not trainer.network, "torch.compile failed"
    torch.nn.init.normal_(trainer.network.output.weight, std=0.1)  # or F would be zero
    generator = torch.Generator("cuda").manual_seed(0)
    x0 = trainer.data.draw(36, 0, generator, 32)
    eps = torch.randn(x0.shape, generator=generator, device="cuda")
    t = torch.linspace(0, 999, 36, device="cuda").long()
    results = []
    for forward in (trainer.forward, trainer.network):
        trainer.forward = forward
        trainer.network.zero_grad()
        loss = trainer.batch_loss(x0, eps, t)
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in trainer.network.parameters()])
        results.append((loss.detach(), gradient))
    (compiled_loss, compiled_gradient), (loss, gradient) = results
    torch.testing.assert_close(compiled_loss, loss, rtol=1e-2, atol=1e-3)
    assert (compiled_gradient - gradient).norm() < 0.05 * gradient.norm()


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_a_step_waits_for_nothing(pictures, progress):
    """Neither at first, nor on the larger crops of the decay."""
    trainer = Trainer(SMALL, training_data(pictures))
    for _ in range(3):
        trainer.train_step(progress)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.train_step(progress)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("dead_leaves", [0.0, 0.5])
def test_a_run_of_twenty_seconds_learns_and_resumes(pictures, tmp_path, dead_leaves):
    data = training_data(pictures, dead_leaves)
    trainer = Trainer(SMALL, data, folder=tmp_path)
    before = trainer.judge()["loss"]
    trainer.train(20 / 60, show_progress=False)
    assert trainer.history[-1]["loss"] < 0.8 * before
    state = load_state(tmp_path)
    assert state["device"] == "cuda"

    resumed = Trainer(SMALL, data, folder=tmp_path)
    resumed.load_state_dict(state)
    assert torch.equal(resumed.generator.get_state(), state["generator"])
    assert torch.equal(resumed.scale, trainer.scale)
    resumed.train(25 / 60, show_progress=False)
    assert resumed.step > trainer.step
    assert resumed.history[-1]["loss"] < 1.1 * trainer.history[-1]["loss"]

    x, t = data.validation[:4], torch.tensor([0, 100, 500, 950], device="cuda")
    on_gpu = load_prior(tmp_path, device="cuda")(x, t).cpu()
    assert (on_gpu - load_prior(tmp_path)(x.cpu(), t.cpu())).norm() < 1e-2 * on_gpu.norm()

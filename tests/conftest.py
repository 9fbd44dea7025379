"""Small priors, chains and networks that the tests share."""

import os
import signal
import sys

import pytest
import torch
from hypothesis import settings

from deqir_lite.chain import make_chain
from deqir_lite.operators import make_task
from deqir_lite.priors import (
    GaussianMixturePrior,
    GaussianPrior,
    ModelPrior,
    fit_spectrum,
    power_law_spectrum,
)

torch.set_num_threads(1)  # all tensors here are small
settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")


@pytest.fixture(scope="session")
def gaussian_prior():
    """A Gaussian photo prior with the power law of photos."""
    return GaussianPrior(power_law_spectrum(size=8))


@pytest.fixture(scope="session")
def make_fitted_prior():
    """size -> a Gaussian prior with correlated colours and no symmetry but the one of all fits."""

    def make(size, count=40):
        generator = torch.Generator().manual_seed(5)
        white = torch.randn(count, 3, size, size, generator=generator, dtype=torch.float64)
        colours = torch.tensor([[1.0, 0, 0], [0.8, 0.3, 0], [0.5, -0.4, 0.2]]).double()
        photos = torch.einsum("ij,njhw->nihw", colours, white)
        photos = photos + 0.7 * photos.roll(1, -1) + 0.2 * photos.roll((1, 1), (-2, -1))
        offset = torch.tensor([0.3, -0.1, 0.2]).double()[:, None, None]
        return GaussianPrior(fit_spectrum(0.2 * photos + offset))

    return make


@pytest.fixture(scope="session")
def sharpening_prior(gaussian_prior):
    """The Gaussian's guess of x_0 with a bounded, image-wide bend on top, as a network has it."""

    def model(x_t, t):
        signal, noise = gaussian_prior.schedule.at(t, x_t)
        guess = gaussian_prior.denoise(x_t, t)
        rest = signal**2 * torch.tanh(0.5 * guess.roll((1, 2), dims=(-2, -1)))
        return gaussian_prior(x_t, t) - rest * signal / noise

    return ModelPrior(model, gaussian_prior.schedule)


@pytest.fixture(scope="session")
def adding_prior(gaussian_prior):
    """Makes a prior that adds ``size``, a number or one for each image (N, 1, 1, 1), to every pixel
    of the Gaussian's guess of x_0."""

    def make(size):
        def model(x_t, t):
            signal, noise = gaussian_prior.schedule.at(t, x_t)
            return gaussian_prior(x_t, t) - size * signal / noise

        return ModelPrior(model, gaussian_prior.schedule)

    return make


@pytest.fixture(scope="session")
def nonlinear_prior(gaussian_prior):
    """The Gaussian prior with a bounded, image-wide bend: no form is exact under it."""

    def model(x_t, t):
        eps = gaussian_prior(x_t, t)
        return eps + 0.2 * torch.tanh(2 * eps.roll((1, 2), dims=(-2, -1)))

    return ModelPrior(model, gaussian_prior.schedule)


@pytest.fixture(scope="session")
def mixture_prior():
    """Three components in the plane, of different weights, shapes and directions."""
    return GaussianMixturePrior(
        torch.tensor([0.5, 0.3, 0.2]).double(),
        torch.tensor([[1.0, 1.0], [-1.0, 0.5], [0.0, -1.5]]).double(),
        torch.tensor(
            [[[0.2, 0.1], [0.1, 0.3]], [[0.4, -0.2], [-0.2, 0.2]], [[0.1, 0.0], [0.0, 0.5]]]
        ).double(),
    )


@pytest.fixture(scope="session")
def chain_for(nonlinear_prior, gaussian_prior):
    """A chain for a named task on a Gaussian photo, by default nonlinear, 8x8 and in float64."""

    def make(
        task="sr2",
        prior=nonlinear_prior,
        num_steps=6,
        eta=0.15,
        batch=1,
        size=(8, 8),
        dtype=torch.float64,
        seed=0,
        spacing="uniform",
        **options,
    ):
        operator = make_task(task, size, seed=seed)
        photo = gaussian_prior.sample((batch, *size), torch.Generator().manual_seed(int(seed)))
        y = operator.A(photo.to(dtype))
        return make_chain(
            prior, operator, y, num_steps=num_steps, eta=eta, seed=seed, spacing=spacing, **options
        )

    return make


@pytest.fixture(scope="session")
def make_unet():
    """in_channels, out_channels -> a tiny UNet2DModel with random weights, two levels."""
    from diffusers import UNet2DModel

    def make(in_channels=3, out_channels=None, seed=0):
        torch.manual_seed(seed)
        return UNet2DModel(
            sample_size=8,
            in_channels=in_channels,
            out_channels=out_channels or in_channels,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=16,
            norm_num_groups=16,
        )

    return make


FILE_EVENTS = {"open", "os.rename", "os.remove", "os.chmod", "os.mkdir", "os.rmdir"}


@pytest.fixture
def kill_at(tmp_path):
    """(k, work) -> whether a copy of this process, which does the work, was killed at the k-th
    thing that it does to a file in tmp_path, by SIGKILL, just before it is done."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork")

    def run(number, work):
        count = 0

        def watch(event, arguments):
            nonlocal count
            place = arguments[0] if event in FILE_EVENTS else ""
            if isinstance(place, int) or place is None:  # a pipe, say
                return
            if os.fsdecode(place).startswith(str(tmp_path)):
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        copy = os.fork()
        if copy == 0:
            code = 1
            try:
                sys.addaudithook(watch)
                work()
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        assert code in (0, -signal.SIGKILL), "the work failed"
        return code != 0

    return run


@pytest.fixture
def clock(monkeypatch):
    """Each training step takes one second; the run is interrupted after ``stop_after`` steps."""

    class Clock:
        steps, stop_after, running = 0, None, False

        def perf_counter(self):
            if not self.running and self.steps == self.stop_after:
                raise KeyboardInterrupt
            self.steps += self.running
            self.running = not self.running
            return float(self.steps)

        thread_time = perf_counter

    ticking = Clock()
    for module in ("training.loop", "studies.recipes"):
        monkeypatch.setattr(f"deqir_lite.{module}.time", ticking)
    return ticking

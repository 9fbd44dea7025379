"""Problems that the tests of methods share."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.operators import make_task
from deqir_lite.priors import ModelPrior

SIZE = (8, 8)


@pytest.fixture(scope="session")
def network_prior(gaussian_prior):
    """A tiny network with random weights, in float64, on top of the Gaussian prior."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(6, 3, 3, padding=1)
    ).double()
    net.requires_grad_(False)
    return ModelPrior(lambda x, t: gaussian_prior(x, t) + 0.3 * net(x), gaussian_prior.schedule)


@pytest.fixture(scope="session")
def noisy_chain(gaussian_prior):
    """method, task, prior, sigma_y -> a chain of two photos, 8x8 and in float64."""

    def make(method, task="sr2", prior=gaussian_prior, sigma_y=0.0, **options):
        operator = make_task(task, SIZE) if isinstance(task, str) else task
        photos = gaussian_prior.sample((2, *SIZE), torch.Generator().manual_seed(3))
        y = operator.A(photos.clamp(-1, 1))
        noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(4)).double()
        options = {"num_steps": 5, "spacing": "uniform", "seed": [1, 2], **options}
        level = torch.as_tensor(sigma_y).double().reshape(-1, *[1] * (y.ndim - 1))
        return make_chain(
            prior, operator, y + level * noise, method=method, sigma_y=sigma_y, **options
        )

    return make

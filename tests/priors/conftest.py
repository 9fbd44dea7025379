"""Dense matrices, for checks against plain linear algebra."""

import pytest
import torch

from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet


def _dense(function, shape):
    """The matrix of a linear map of tensors (B, *shape)."""
    size = int(torch.tensor(shape).prod())
    return function(torch.eye(size).double().reshape(size, *shape)).flatten(1).T


@pytest.fixture(scope="session")
def dense():
    return _dense


@pytest.fixture(scope="session")
def make_residual():
    """seed, options -> a tiny ResidualPrior with random weights, also in the last layer."""

    def make(seed=0, channels=(8, 16), **options):
        torch.manual_seed(seed)
        network = ResidualUNet(channels, blocks=1)
        torch.nn.init.normal_(network.output.weight, std=0.1)
        gaussian = GaussianPrior(power_law_spectrum(size=8))
        return ResidualPrior(gaussian, network, torch.linspace(0.02, 0.6, 1000), **options)

    return make


@pytest.fixture(scope="session")
def dense_covariance():
    """spectrum -> (3 S S, 3 S S), written as the sum over all frequencies f of S(f) exp(i f.d)."""

    def build(spectrum):
        side = spectrum.covariance.shape[-1]
        index = torch.arange(side).double()
        wave = torch.exp(2j * torch.pi * torch.outer(index, index) / side)
        fourier = torch.kron(wave, wave) / side  # row: pixel, column: frequency
        table = spectrum.covariance.reshape(3, 3, -1)
        blocks = [
            [((fourier * table[i, j]) @ fourier.conj().T).real for j in range(3)] for i in range(3)
        ]
        return torch.cat([torch.cat(row, dim=1) for row in blocks])

    return build

"""Fixed-point systems and starts for the solvers."""

import pytest
import torch

from deqir_lite.fixedpoint import FixedPointSystem, make_model


@pytest.fixture(scope="session")
def system_for(chain_for, gaussian_prior):
    """A system of the named form; the rest are the options of ``chain_for``."""

    def make(form="data", **options):
        chain = chain_for(**options)
        return FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))

    return make


@pytest.fixture(scope="session")
def random_start():
    """Any start at all: nothing in it is right, not even x_T."""

    def make(system, seed=0):
        chain = system.chain
        generator = torch.Generator().manual_seed(1000 + seed)  # not the chain's own draws
        shape = (chain.num_steps + 1, *chain.x_T.shape)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(chain.x_T)

    return make

"""Losses and helpers for gradients."""

import pytest
import torch


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="session")
def curved_loss():
    """like -> a smooth loss of photos or states of that shape with no symmetry."""

    def make(like):
        target, weight = (randn(*like.shape, seed=seed).to(like) for seed in (7, 8))
        return lambda x: ((x - target).square() + torch.sin(weight * x)).sum()

    return make


@pytest.fixture(scope="session")
def relative():
    def error(got, expected):
        return float((got - expected).norm() / expected.norm())

    return error

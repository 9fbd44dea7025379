"""TV and the Gaussian posterior mean: consistent with y, and as good as theory says."""

import pytest
import torch

from deqir_lite.operators import make_task
from deqir_lite.studies.evaluation.references import tv_restoration

SIZE = (16, 16)


def squared_error(x, truth):
    return (x - truth).square().flatten(1).mean(1)


@pytest.fixture
def photo(gaussian_prior):
    return gaussian_prior.sample((2, *SIZE), torch.Generator().manual_seed(1))


@pytest.mark.parametrize("task", ["sr4", "inpaint-random", "deblur-gaussian", "old-photo-sr2"])
def test_tv_is_consistent(photo, task):
    operator = make_task(task, SIZE)
    y = operator.A(photo)
    restored = tv_restoration(operator, y)
    assert torch.allclose(operator.A(restored), y, atol=1e-8)


def test_tv_finds_a_piecewise_constant_photo():
    """Half of the pixels of a picture of two flat halves: TV is the right prior for it."""
    photo = torch.full((1, 3, 32, 32), -0.5, dtype=torch.float64)
    photo[..., 13:] = 0.5
    operator = make_task("inpaint-random", (32, 32))
    restored = tv_restoration(operator, operator.A(photo))
    assert float(squared_error(restored, photo)) < 1e-3
    assert float(squared_error(operator.pinv(operator.A(photo)), photo)) > 0.1


def test_tv_takes_each_image_alone(photo):
    operator = make_task("sr2", SIZE)
    y = operator.A(photo)
    alone = torch.cat([tv_restoration(operator, one[None]) for one in y])
    assert torch.allclose(tv_restoration(operator, y), alone, atol=1e-12)

"""Gradients use the adjoint of every linear model: <u, L v> = <L^T u, v>, and so for a sweep."""

import pytest
import torch

from deqir_lite.fixedpoint import FORMS, GaussianFormModel, LinearModel, make_model
from deqir_lite.operators import TASKS

FORGETFUL = "gaussian, forgetful"


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def model_for(chain_for, make_fitted_prior):
    """A model of a chain of 6 steps on two photos, with colours that are correlated."""

    def make(form, task="sr2", eta=0.3):
        chain, gaussian = chain_for(task, eta=eta, batch=2), make_fitted_prior(8)
        if form == FORGETFUL:
            return GaussianFormModel(chain, gaussian, kept=0.6)
        return make_model(form, chain, gaussian=gaussian)

    return make


@pytest.mark.parametrize("form", [*FORMS, FORGETFUL])
@pytest.mark.parametrize("task", list(TASKS))
def test_the_adjoint_of_a_step(model_for, task, form):
    model = model_for(form, task)
    u, v = randn(2, 3, 8, 8), randn(2, 3, 8, 8, seed=1)
    for k in range(6):
        left, right = (u * model.apply(v, k)).sum(), (model.apply_adjoint(u, k) * v).sum()
        torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("form", [*FORMS, FORGETFUL])
@pytest.mark.parametrize(("first", "rows"), [(0, 6), (0, 1), (0, 4), (2, 4), (5, 1)])
@pytest.mark.parametrize("task", ["sr2", "colorization", "deblur-anisotropic"])
def test_the_adjoint_of_a_correction(model_for, task, form, first, rows):
    model = model_for(form, task)
    u, v = randn(rows, 2, 3, 8, 8), randn(rows, 2, 3, 8, 8, seed=1)
    left = (u * model.correction(v, first)).sum()
    right = (model.correction_adjoint(u, first) * v).sum()
    torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("form", [*FORMS, FORGETFUL])
def test_closed_forms_are_backward_substitution(model_for, form):
    model, u = model_for(form), randn(4, 2, 3, 8, 8)
    expected = LinearModel.correction_adjoint(model, u, 1)
    torch.testing.assert_close(model.correction_adjoint(u, 1), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("form", [*FORMS, FORGETFUL])
def test_a_model_without_closed_form_gets_its_adjoint_by_autograd(model_for, form):
    model, u = model_for(form), randn(2, 3, 8, 8)
    with torch.no_grad():
        got = LinearModel.apply_adjoint(model, u, 3)
    torch.testing.assert_close(got, model.apply_adjoint(u, 3), rtol=0, atol=1e-12)
    assert not got.requires_grad

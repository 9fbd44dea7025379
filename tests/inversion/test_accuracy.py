"""Errors of the series, term by term."""

import pytest
import torch

from deqir_lite import SolveOptions
from deqir_lite.inversion import gradient_errors, solve_implicit


def test_errors_are_those_of_the_gradients(chain_for, gaussian_prior, curved_loss):
    chain = chain_for("sr2", num_steps=6, batch=2)
    loss = curved_loss(chain.x_T)
    options = {"tolerance": 1e-14, "max_sweeps": 100, "gaussian": gaussian_prior}

    def slope(form="gaussian", **more):
        x_T = chain.x_T.clone().requires_grad_()
        solve = SolveOptions(form=form, **options)
        return torch.autograd.grad(
            loss(solve_implicit(chain, x_T=x_T, solve=solve, **more).x0), x_T
        )[0]

    exact = slope(gradient="unrolled")
    errors = gradient_errors(
        chain, loss, forms=("gaussian", "noise"), max_terms=3, gaussian=gaussian_prior
    )
    assert [(e.form, e.terms, e.vjps) for e in errors] == [
        (form, terms, vjps)
        for form in ("gaussian", "noise")
        for terms, vjps in ((1, 2), (2, 12), (3, 20))
    ]
    for error in errors:
        got = slope(form=error.form, gradient="neumann", terms=error.terms)
        relative = float((got - exact).norm() / exact.norm())
        cosine = float(torch.cosine_similarity(got.flatten(), exact.flatten(), dim=0))
        assert error.relative_error == pytest.approx(relative, rel=1e-6)
        assert error.cosine == pytest.approx(cosine, rel=1e-9)


def test_every_form_ends_at_the_exact_gradient(chain_for, gaussian_prior, curved_loss):
    chain = chain_for("sr2", num_steps=6)
    errors = gradient_errors(chain, curved_loss(chain.x_T), gaussian=gaussian_prior)
    last = {e.form: e for e in errors if e.terms == 6}
    assert set(last) == {"noise", "data", "gaussian", "jacobi"}
    assert len(errors) == 24
    assert max(e.relative_error for e in last.values()) <= 1e-10
    jacobi = [e for e in errors if e.form == "jacobi" and e.terms < 6]
    assert all(e.relative_error == 1 and e.cosine == 0 for e in jacobi)


@pytest.mark.parametrize("task", ["sr2", "colorization", "inpaint-box", "deblur-gaussian"])
def test_the_gaussian_form_is_closer_than_the_paper(chain_for, gaussian_prior, curved_loss, task):
    chain = chain_for(task, num_steps=20)
    errors = gradient_errors(
        chain,
        curved_loss(chain.x_T),
        forms=("gaussian", "noise"),
        max_terms=2,
        gaussian=gaussian_prior,
    )
    by_key = {(e.form, e.terms): e.relative_error for e in errors}
    for terms in (1, 2):
        assert by_key["gaussian", terms] < 0.5 * by_key["noise", terms]


def test_bad_losses(chain_for, gaussian_prior):
    chain = chain_for()
    with pytest.raises(ValueError, match="^loss: returned .* of shape \\(1, 3, 8, 8\\)"):
        gradient_errors(chain, lambda x0: x0, forms=("noise",))
    with pytest.raises(ValueError, match="^loss: does not depend on x_0"):
        gradient_errors(chain, lambda x0: x0.detach().sum(), forms=("noise",))
    with pytest.raises(ValueError, match="^loss: its gradient .* is zero"):
        gradient_errors(chain, lambda x0: (0 * x0).sum(), forms=("noise",))
    with pytest.raises(ValueError, match="^max_terms: got 0"):
        gradient_errors(chain, torch.sum, forms=("noise",), max_terms=0)

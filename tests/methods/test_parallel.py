"""Every method, form and operator: all timesteps at once give what step by step gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FORMS, DenoiserModel, make_model, noise_held
from deqir_lite.methods import (
    METHODS,
    DDIMNoise,
    DDNMNoise,
    DDNMPlusNoise,
    DDPMNoise,
    DDRMNoise,
    DiffPIRNoise,
    ILVRNoise,
    RePaintNoise,
)
from deqir_lite.operators import TASKS, Inpainting, make_task
from deqir_lite.restoration import restore_parallel
from deqir_lite.schedule import RETURNS_FROM

NOISY = ["ddnm+", "ddrm", "diffpir", "pigdm", "mmps"]
MAGNIFIED = [task for task in TASKS if task.startswith(("sr", "pool"))]
RULE = {
    "ddnm": DDNMNoise,
    "weighted": DDNMNoise,
    "ddnm+": DDNMPlusNoise,
    "ddrm": lambda eta: DDRMNoise(eta, 1 - 0.3 * eta, strict=eta > 0.5),
    "diffpir": DiffPIRNoise,
    "dps": lambda eta: DDPMNoise(),
    "ilvr": ILVRNoise,
    "repaint": lambda eta: RePaintNoise(),
    "pigdm": DDIMNoise,
    "mmps": DDIMNoise,
}


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.filterwarnings("ignore:prior. ModelPrior has no Gaussian part")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
def test_parallel_is_sequential(noisy_chain, gaussian_prior, network_prior, name, form):
    @settings(max_examples=4)
    @given(
        st.sampled_from(MAGNIFIED if name == "ilvr" else list(TASKS)),
        st.sampled_from([gaussian_prior, network_prior]),
        st.sampled_from([0.0, 0.1, [0.0, 0.3]] if name in NOISY else [0.0]),
        st.integers(1, 6),
        st.floats(0, 1),
        st.sampled_from([None, *RETURNS_FROM]),
    )
    def holds(task, prior, sigma_y, num_steps, eta, travels):
        path = {"num_steps": num_steps, "rule": RULE[name](eta)}
        if travels and num_steps > 1:
            path |= {"returns": (1, 2), "returns_from": travels}
        chain = noisy_chain(name, task, prior, sigma_y, **path)
        expected = chain.sequential()
        assert bool(expected.isfinite().all())
        got = restore_parallel(
            chain, form=form, solver="picard", start="x_T", gaussian=gaussian_prior, tolerance=0.0
        )
        assert got.sweeps <= chain.num_steps
        assert (got.states - expected).abs().max() <= 1e-8 * expected.abs().max()

    holds()


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, task) for name in ("ddnm+", "ddrm", "diffpir", "repaint") for task in TASKS]
    + [("ilvr", task) for task in MAGNIFIED],
)
@pytest.mark.equation("9")
def test_proposition_1_for_noisy_y_has_a_closed_form(noisy_chain, name, task):
    """The sum with spectral weights is the recursion L_s = a C / sqrt(abar) + b of images, and so
    is its adjoint; where y is exact, L is that of Proposition 1."""
    levels = [0.0] if name in ("ilvr", "repaint") else [0.0, 0.2, [0.05, 0.4]]
    for sigma_y in levels:
        chain = noisy_chain(name, task, sigma_y=sigma_y)
        closed, plain = make_model("noise", chain), DenoiserModel(chain, noise_held)
        v = torch.randn(5, *chain.x_T.shape, generator=torch.Generator().manual_seed(0)).double()
        for first in (0, 2):
            part = v[first:]
            for method in ("correction", "correction_adjoint"):
                got, expected = (getattr(m, method)(part, first) for m in (closed, plain))
                assert (got - expected).abs().max() <= 1e-12 * expected.abs().max()
        if sigma_y == 0.0 and name == "ddnm+":
            assert chain.linear_is_null
            assert chain.meets_y
            ratio = chain.coefficients.target[2] / chain.coefficients.source[2]
            expected = float(ratio.sqrt()) * chain.measurement.null(v[0])
            torch.testing.assert_close(closed.apply(v[0], 2), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["ddnm+", "ddrm", "diffpir", "ilvr", "repaint"])
@pytest.mark.parametrize("task", ["sr2", "pool2"])
def test_the_gaussian_form_is_exact_where_nothing_is_clipped(
    noisy_chain, gaussian_prior, name, task
):
    sigma_y = 0.0 if name in ("ilvr", "repaint") else 0.2
    chain = noisy_chain(name, task, sigma_y=sigma_y, returns=(2, 2))
    chain.consistency.clip = False
    model = make_model("gaussian", chain, gaussian=gaussian_prior)
    x, v = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    for k in range(chain.num_steps):
        moved = chain.step(x + v, k) - chain.step(x, k)
        torch.testing.assert_close(model.apply(v, k), moved, rtol=1e-9, atol=1e-10)


@pytest.mark.filterwarnings("ignore:prior. ModelPrior has no Gaussian part")
@pytest.mark.parametrize("name", METHODS)
def test_each_image_has_its_own_mask_and_noise_level(gaussian_prior, network_prior, name):
    """Together they give what each gives alone: masks, noise levels, norms, solves, starts."""
    masks = (torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(2)) > 0.5).double()
    sigma_y = [0.1, 0.0, 0.4] if name in (*NOISY, "weighted") else [0.0] * 3
    photos = gaussian_prior.sample((3, 8, 8), torch.Generator().manual_seed(3))
    options = {"method": name, "num_steps": 4, "returns": (1, 2)}

    def states(one):
        operator = Inpainting(masks[one]) if name != "ilvr" else make_task("pool2", (8, 8))
        y = operator.A(photos[one])
        chain = make_chain(
            network_prior, operator, y, sigma_y=sigma_y[one], seed=[5, 6, 7][one], **options
        )
        return chain.sequential()

    together = states(slice(0, 3))
    for k in range(3):
        alone = states(slice(k, k + 1))
        assert (together[:, k : k + 1] - alone).abs().max() <= 1e-9 * alone.abs().max()

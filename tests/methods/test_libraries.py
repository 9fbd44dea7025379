"""Methods against those of azula and deepinv, on the same denoiser, operator and noise.

Their parameters are not all ours. Each test says which are the same, and what is left that is not.
DDRM of deepinv and RePaint of diffusers: see test_official.
"""

from functools import partial

import pytest
import torch

from deqir_lite.methods import (
    METHODS,
    DDPMNoise,
    DiffPIRConsistency,
    DiffPIRNoise,
    DPSConsistency,
    Method,
    MMPSConsistency,
)
from deqir_lite.operators import measurement_to_unit_range
from deqir_lite.priors import ModelPrior
from deqir_lite.priors.base import predict_x0

SIZE = (8, 8)
TASKS = ["sr2", "inpaint-random", "deblur-gaussian", "colorization"]


# --- azula: its samplers take any schedule; here their time is the step, and alpha_bar ours ---


@pytest.fixture
def flat(monkeypatch):
    """chain, images -> what azula needs of it. Images are vectors there, since its solvers of
    linear systems work on the last axis alone."""
    pytest.importorskip("azula")
    from azula.denoise import Denoiser, DiracPosterior

    class Prediction(Denoiser):
        def __init__(self, chain):
            super().__init__()
            self.chain = chain

        def schedule(self, t):
            abar = self.chain.coefficients.alpha_bar[int(t)]
            return abar.sqrt(), (1 - abar).sqrt()

        def forward(self, x_t, t):
            states, step = x_t.view(-1, 3, *SIZE), self.chain.coefficients.timesteps[int(t)]
            eps = self.chain.prior(states, step.expand(len(states)))
            return DiracPosterior(predict_x0(states, eps, *self.schedule(t)).flatten(1))

    class Flat:
        def __init__(self, chain, images=slice(None)):
            self.chain, self.images = chain, images
            operator, y = chain.measurement.operator, chain.measurement.y[images]
            self.denoiser, self.y = Prediction(chain), y.flatten(1)
            self.A = lambda x: operator.A(x.view(-1, 3, *SIZE)).flatten(1)
            self.A_inv = lambda v: operator.pinv(v.view(-1, *y.shape[1:])).flatten(1)

        def differs(self, sampler, denoiser=None, **options):
            """The largest distance of its x_0 from ours, with our x_T and our noise."""
            draws = iter(self.chain.noise[:, self.images].flatten(2))
            monkeypatch.setattr(torch, "randn_like", lambda like: next(draws))
            steps = self.chain.num_steps
            walk = sampler(
                denoiser or self.denoiser,
                **{"start": 0.0, "stop": float(steps), "steps": steps, "silent": True} | options,
            )
            got = walk(self.chain.x_T[self.images].flatten(1)).view(-1, 3, *SIZE)
            return float((got - self.chain.sequential()[-1][self.images]).abs().max())

    return Flat


@pytest.mark.parametrize("task", TASKS)
def test_dps_is_that_of_azula(flat, noisy_chain, network_prior, task):
    """zeta is our ``scale``. It clamps no prediction, as ours with ``clip=False``; and has one norm
    for a whole batch, where ours and the paper's algorithm have one for each image, so the images
    are given to it one by one."""
    from azula.guidance import DPSSampler

    method = Method(partial(DPSConsistency, scale=0.7, clip=False), DDPMNoise())
    chain = noisy_chain(method, task, network_prior, 0.1)
    for images in (slice(0, 1), slice(1, 2)):
        own = flat(chain, images)
        assert own.differs(DPSSampler, y=own.y, A=own.A, zeta=0.7) <= 1e-9


@pytest.mark.parametrize("task", TASKS)
def test_pigdm_is_that_of_azula(flat, noisy_chain, network_prior, task):
    """With eta = 1, which is our DDIMNoise(1), and from our x_T, which knows A^+ y; its own does
    not. It has no sigma_y: r_t^2 A^T (r_t^2 A A^T + sigma_y^2)^-1 is A^+ there, as ours for exact
    y."""
    from azula.guidance import PGDMSampler

    own = flat(noisy_chain("pigdm", task, network_prior))
    assert own.differs(PGDMSampler, y=own.y, A=own.A, A_inv=own.A_inv, eta=1.0) <= 1e-9


@pytest.mark.parametrize("sigma_y", [0.02, 0.3])
@pytest.mark.parametrize("task", TASKS)
def test_mmps_is_that_of_azula(flat, noisy_chain, network_prior, task, sigma_y):
    """Three steps of GMRES, our default where azula's is one; ancestral noise. Ours takes sigma_y
    as .02 at least, theirs as given."""
    from azula.guidance import MMPSDenoiser
    from azula.linalg.covariance import IsotropicCovariance
    from azula.sample import DDPMSampler

    own = flat(noisy_chain("mmps", task, network_prior, sigma_y))
    theirs = MMPSDenoiser(
        own.denoiser, own.y, own.A, IsotropicCovariance(sigma_y**2), solver="gmres", iterations=3
    )
    assert own.differs(DDPMSampler, theirs) <= 1e-7


@pytest.mark.parametrize("task", ["inpaint-random", "pool2"])
def test_tmpd_of_azula_is_mmps_where_both_are_exact(flat, noisy_chain, gaussian_prior, task):
    """TMPD replaces A C_t A^T of MMPS by the diagonal matrix of its row sums. Nothing is lost where
    it is diagonal: photos white, and A A^T a multiple of I. Under another prior it is a different
    method, which we have not."""
    from azula.guidance import TMPDenoiser
    from azula.sample import DDPMSampler

    variance = 0.3

    def white(x, t):
        signal, noise = gaussian_prior.schedule.at(t, x)
        return noise * x / (signal**2 * variance + noise**2)

    prior = ModelPrior(white, gaussian_prior.schedule)
    method = Method(partial(MMPSConsistency, iterations=2), METHODS["mmps"].rule)
    own = flat(noisy_chain(method, task, prior, 0.2))
    assert own.differs(DDPMSampler, TMPDenoiser(own.denoiser, own.y, own.A, 0.04)) <= 1e-9
    exact = flat(noisy_chain(method, task, gaussian_prior, 0.2))
    tmpd = TMPDenoiser(exact.denoiser, exact.y, exact.A, 0.04)
    assert exact.differs(DDPMSampler, tmpd) >= 1e-3


@pytest.mark.parametrize(
    ("rule", "sampler"), [(DDPMNoise(), {"eta": 1.0}), (DiffPIRNoise(0.0), {"eta": 0.0})]
)
@pytest.mark.parametrize("task", TASKS)
def test_diffpir_is_that_of_azula(flat, noisy_chain, network_prior, task, rule, sampler):
    """lambda is a quarter of our ``weight``, whose sigma_y is that of images in [0, 1], as
    published; theirs has both noises in one unit. It clamps no prediction, and its default solver
    is one step of GMRES; here it is conjugate gradients, as many as it takes. It leaves the noise
    to DDIM's rule, which has eps^ of DiffPIR, but a share tau_t of fresh noise that depends on t
    where zeta does not: the same only where there is none, and with eta = 1 that of the ancestral
    rule."""
    from azula.guidance import DiffPIRDenoiser
    from azula.sample import DDIMSampler

    method = Method(partial(DiffPIRConsistency, weight=3.0, clip=False), rule)
    own = flat(noisy_chain(method, task, network_prior, 0.3))
    theirs = DiffPIRDenoiser(
        own.denoiser, own.y, own.A, 0.3**2, lmbda=3.0 / 4, solver="cg", iterations=60
    )
    assert own.differs(DDIMSampler, theirs, **sampler) <= 1e-7


# --- deepinv: photos in [0, 1], and a denoiser D(x, sigma) that is given float32 ---


@pytest.fixture
def physics_of():
    """chain -> its operator as a physics, its y and its prior, as deepinv has them."""
    pytest.importorskip("deepinv")
    from deepinv.physics import GaussianNoise

    from deqir_lite.bridges.to_deepinv import PriorDenoiser, to_physics

    class Exact(PriorDenoiser):
        def forward(self, x, sigma, **others):
            return super().forward(x.double(), sigma)

    def make(chain, sigma_y):
        operator = chain.measurement.operator
        physics = to_physics(operator, SIZE, dtype=torch.float64)
        physics.noise_model = GaussianNoise(sigma_y / 2)
        y = measurement_to_unit_range(operator, chain.measurement.y)
        return Exact(chain.prior), y, physics

    return make


@pytest.mark.parametrize("task", TASKS)
def test_dps_is_that_of_deepinv_with_another_scale_in_each_step(
    physics_of, noisy_chain, network_prior, task
):
    """It adds the slope to the score, so that a step has it times (1 - alpha_t) / sqrt(alpha_t),
    alpha_t = abar_{s+1} / abar_s; ours, the paper's algorithm and its code have it as it is. With
    its ``weight`` our scale is weight (1 - alpha_t) / sqrt(alpha_t) / 2, since it measures in
    [0, 1]. So its pull fades with beta towards the end of the chain. It clamps its predictions, of
    images in [0, 1], to [-1, 1], which is from -3 to 1 for ours; here neither clamps."""
    from deepinv.sampling import DPS, DDPMSolver

    weight, (low, high) = 5.0, (0.1, 20.0)  # beta of its schedule at both ends

    def step_scale(chain, k):
        alpha = float(chain.coefficients.source[k] / chain.coefficients.target[k])
        return weight * (1 - alpha) / alpha**0.5 / 2

    generator = torch.Generator().manual_seed(0)
    draws = [torch.empty(2, 3, *SIZE).double().normal_(generator=generator) for _ in range(5)]
    noise = torch.stack(draws)
    options = {"prior": network_prior, "sigma_y": 0.1, "noise": noise}
    chain = noisy_chain("dps", task, **options)
    log = -chain.coefficients.alpha_bar.log()
    times = ((low**2 + 2 * (high - low) * log).sqrt() - low) / (high - low)
    solver = DDPMSolver(timesteps=times, rng=torch.Generator().manual_seed(0))
    denoiser, y, physics = physics_of(chain, 0.1)
    theirs = DPS(denoiser, solver=solver, weight=weight)
    theirs.data_fidelity.clip = None
    _, states = theirs(y, physics, x_init=chain.x_T, get_trajectory=True)
    states = 2 * states - 1
    for k in range(5):
        method = Method(
            partial(DPSConsistency, scale=step_scale(chain, k), clip=False), DDPMNoise()
        )
        step = noisy_chain(method, task, **options).step(states[k], k)
        assert (states[k + 1] - step).abs().max() <= 1e-5 * step.abs().max()


@pytest.mark.parametrize("task", TASKS)
def test_diffpir_is_that_of_deepinv(physics_of, noisy_chain, network_prior, task, monkeypatch):
    """lambda_ is half of our ``weight``: its proximal point is that of |y - A x|^2 / 2 with
    gamma = 1 / (2 rho_t), so of |y - A x|^2 + 2 rho_t |x - x_{0|t}|^2. Its x_T knows A^T y, and is
    given to ours. It returns the state of the last timestep, where ours predicts once more."""
    from deepinv.optim.data_fidelity import L2
    from deepinv.sampling import DiffPIR

    steps, sigma_y, zeta = 6, 0.3, 0.4
    grid = 999 - torch.linspace(0, 1000.0**2, steps).sqrt().long()
    grid[-1] = 0
    method = Method(partial(DiffPIRConsistency, weight=3.0), DiffPIRNoise(zeta))
    options = {"prior": network_prior, "sigma_y": sigma_y, "num_steps": None, "spacing": None}
    chain = noisy_chain(method, task, timesteps=grid, **options)
    denoiser, y, physics = physics_of(chain, sigma_y)
    abar = chain.coefficients.alpha_bar[0]
    start = ((1 - abar) / abar - sigma_y**2).sqrt() * chain.x_T + (2 * physics.A_adjoint(y) - 1)
    expected = noisy_chain(method, task, timesteps=grid, x_T=abar.sqrt() * start, **options)
    draws = iter([chain.x_T, *chain.noise])
    monkeypatch.setattr(torch, "randn_like", lambda like: next(draws))
    theirs = DiffPIR(denoiser, L2(), sigma=sigma_y / 2, max_iter=steps, zeta=zeta, lambda_=3.0 / 2)
    got, states = 2 * theirs(y, physics) - 1, expected.sequential()
    assert (got - states[-2]).abs().max() <= 1e-4 * states[-2].abs().max()

"""CUDA against the CPU, and what one parallel restoration costs beside a sequential one."""

import pytest
import torch

from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.fixedpoint import FORMS, STARTS, FixedPointSystem, make_model, make_start
from deqir_lite.operators import TASKS, make_task
from deqir_lite.priors import GaussianPosterior, GaussianPrior, power_law_spectrum
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import Anderson, Picard, solve

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.usefixtures("full_float32"),
]

SIZE = (16, 16)
TOLERANCE = 1e-4
"""Largest accepted difference in float32, relative to the norm of the CPU's result."""


def randn(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def assert_close(on_gpu, on_cpu, tolerance=TOLERANCE, scale=0.0):
    """Relative to the norm of the CPU's result, or to ``scale`` where that is larger."""
    assert on_gpu.is_cuda
    assert on_gpu.dtype == on_cpu.dtype
    difference = (on_gpu.cpu().double() - on_cpu.double()).norm()
    error = difference / max(on_cpu.double().norm(), scale)
    assert error <= tolerance, f"relative difference {error:.1e}"


def chains(prior, task="sr2", dtype=torch.float32, batch=2, **options):
    """The same chain on the CPU and on the GPU."""
    operator = make_task(task, SIZE)
    y = operator.A(randn(batch, 3, *SIZE, seed=1, dtype=dtype).clamp(-1, 1))
    return [make_chain(prior, operator, v, **options) for v in (y, y.cuda())]


@pytest.mark.parametrize("task", list(TASKS))
def test_operators(task):
    operator, x = make_task(task, SIZE), randn(2, 3, *SIZE)
    y = operator.A(x)
    for name, argument in [
        ("A", x),
        ("adjoint", y),
        ("pinv", y),
        ("range_projector", x),
        ("null_projector", x),
    ]:
        function = getattr(operator, name)
        # an operator without a null space projects to rounding errors
        assert_close(function(argument.cuda()), function(argument), scale=argument.norm())


def test_gaussian_prior_and_posterior(gaussian_prior):
    x, t = randn(4, 3, *SIZE), torch.tensor([0, 100, 500, 950])
    assert_close(gaussian_prior(x.cuda(), t.cuda()), gaussian_prior(x, t))
    assert_close(gaussian_prior(x.cuda(), t), gaussian_prior(x, t))  # t may stay on the host
    assert_close(gaussian_prior.wiener(x.cuda(), 0.3), gaussian_prior.wiener(x, 0.3))
    operator = make_task("pool2", SIZE)
    y = operator.A(x)
    for sigma_y in (0.0, 0.1):
        on_gpu, on_cpu = (
            GaussianPosterior(gaussian_prior, operator, v, sigma_y=sigma_y, tolerance=1e-6).mean()
            for v in (y.cuda(), y)
        )
        assert_close(on_gpu, on_cpu, 1e-3)


def test_mixture_prior(mixture_prior):
    x, t = randn(4, 2), torch.tensor([0, 100, 500, 950])
    assert_close(mixture_prior(x.cuda(), t.cuda()), mixture_prior(x, t))


@pytest.mark.parametrize("task", ["sr2", "deblur-motion", "inpaint-random", "colorization"])
@pytest.mark.parametrize("eta", [0.0, 0.85])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sequential_chain(nonlinear_prior, task, eta, dtype):
    on_cpu, on_gpu = chains(nonlinear_prior, task, dtype, num_steps=20, eta=eta)
    assert torch.equal(on_gpu.noise.cpu(), on_cpu.noise)
    tolerance = TOLERANCE if dtype == torch.float32 else 1e-10
    assert_close(on_gpu.sequential(), on_cpu.sequential(), tolerance)


@pytest.mark.parametrize("name", STARTS)
def test_starts(nonlinear_prior, gaussian_prior, name):
    on_cpu, on_gpu = chains(nonlinear_prior, num_steps=10)
    assert_close(
        make_start(name, on_gpu, gaussian=gaussian_prior),
        make_start(name, on_cpu, gaussian=gaussian_prior),
    )


@pytest.mark.parametrize("solver", [Anderson("triangular"), Picard()], ids=repr)
@pytest.mark.parametrize("form", FORMS)
def test_parallel_is_sequential_on_the_gpu_and_on_the_cpu(
    nonlinear_prior, gaussian_prior, form, solver
):
    """With tolerance 0 a solver that keeps the staircase ends at the sequential chain."""
    on_cpu, on_gpu = chains(nonlinear_prior, num_steps=10)
    expected = on_cpu.sequential()
    for chain in (on_cpu, on_gpu):
        system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
        start = make_start("measurement", chain)
        solution = solve(system, solver, start, tolerance=0.0)
        assert solution.converged
        assert solution.states.device == chain.x_T.device
        difference = (solution.states.cpu() - expected).norm() / expected.norm()
        assert difference <= TOLERANCE


@pytest.mark.parametrize("form", FORMS)
def test_jacobian_products(nonlinear_prior, gaussian_prior, form):
    results = []
    for chain in chains(nonlinear_prior, num_steps=5):
        system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
        v = randn(5, 2, 3, *SIZE, seed=3).to(chain.x_T.device)
        states = make_start("measurement", chain)
        results.append((system.jvp(states, v), system.vjp(states, v)))
    for on_cpu, on_gpu in zip(*results, strict=True):
        assert_close(on_gpu, on_cpu)


@pytest.fixture(scope="module")
def networks():
    """dtype, device -> the same random network as a prior, on top of the Gaussian one."""

    def make(dtype, device):
        torch.manual_seed(0)
        network = ResidualUNet((16, 32), blocks=1)
        torch.nn.init.normal_(network.output.weight, std=0.1)
        gaussian = GaussianPrior(power_law_spectrum(size=8))
        return ResidualPrior(gaussian, network, torch.linspace(0.02, 0.6, 1000), dtype=dtype).to(
            device
        )

    return make


def test_float32_network(networks):
    x, t = randn(4, 3, *SIZE), torch.tensor([0, 100, 500, 950])
    on_cpu, on_gpu = networks("float32", "cpu")(x, t), networks("float32", "cuda")
    assert_close(on_gpu(x.cuda(), t.cuda()), on_cpu)
    assert_close(on_gpu(x.cuda(), t), on_cpu)  # t may stay on the host


def test_float32_network_of_diffusers(make_unet):
    """With 12 channels of unshuffled pixels."""
    x, t = randn(4, 3, *SIZE), torch.tensor([0, 100, 500, 950])
    on_cpu, on_gpu = (
        NetworkPrior(make_unet(12), linear_schedule(), prediction_type="v_prediction").to(device)
        for device in ("cpu", "cuda")
    )
    assert_close(on_gpu(x.cuda(), t.cuda()), on_cpu(x, t))


def test_an_evaluation_of_the_network_waits_for_nothing(networks):
    prior = networks("bfloat16", "cuda")
    x, t = randn(4, 3, *SIZE).cuda(), torch.tensor([0, 100, 500, 950]).cuda()
    prior(x, t)  # builds and moves the constants
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        prior(x, t)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_bfloat16_parallel_stays_within_the_floor_of_bfloat16(
    networks, gaussian_prior, record_property
):
    """The rule: a solve may differ from its sequential chain by what rounding does to the chain.

    Both evaluate the same bfloat16 network, at other batch sizes and therefore with other rounding.
    How far rounding can carry a chain is measured, not guessed: it is the distance between the
    sequential chains of the bfloat16 and of the float32 network. One call's own difference, the
    floor of a single evaluation, must be below one percent, or the comparison would mean nothing.
    """
    operator = make_task("sr2", SIZE)
    y = operator.A(randn(1, 3, *SIZE, seed=1).clamp(-1, 1)).cuda()
    rough, exact = (networks(dtype, "cuda") for dtype in ("bfloat16", "float32"))
    x, t = randn(4, 3, *SIZE).cuda(), torch.tensor([0, 100, 500, 950]).cuda()
    one_call = float((rough(x, t) - exact(x, t)).norm() / exact(x, t).norm())
    chain = make_chain(rough, operator, y, num_steps=10)
    sequential = chain.sequential()
    floor = float((sequential - chain.with_prior(exact).sequential()).norm() / sequential.norm())
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    start = make_start("gaussian", chain, gaussian=gaussian_prior)
    solution = solve(system, Anderson(), start, tolerance=0.0)
    error = float((solution.states - sequential).norm() / sequential.norm())
    for name, value in [("one_call", one_call), ("floor", floor), ("error", error)]:
        record_property(f"bfloat16_{name}", value)
    assert 0 < one_call < 0.01
    assert error <= 2 * floor + TOLERANCE


def test_a_sweep_copies_nothing_to_the_host_but_its_stopping_test(networks, gaussian_prior):
    """Residual and correction run without waiting for the device; only copies to it are left."""
    operator = make_task("sr2", SIZE)
    y = operator.A(randn(2, 3, *SIZE, seed=1)).cuda()
    chain: RestorationChain = make_chain(networks("float32", "cuda"), operator, y, num_steps=5)
    states = make_start("gaussian", chain, gaussian=gaussian_prior)
    for form in FORMS:
        model = make_model(form, chain, gaussian=gaussian_prior)
        residual = chain.steps(states[:-1]) - states[1:]
        model.correction(residual)  # builds and moves the constants
        torch.cuda.synchronize()
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        ) as profile:
            model.correction(chain.steps(states[:-1]) - states[1:])
            torch.cuda.synchronize()
        names = [event.key for event in profile.key_averages()]
        assert not [name for name in names if "Memcpy DtoH" in name], form


def test_a_window_with_returns_copies_nothing_to_the_device(networks):
    """Which steps ask the network is known there from the start."""
    operator = make_task("sr2", SIZE)
    y = operator.A(randn(2, 3, *SIZE, seed=1)).cuda()
    path = [900, 500, 900, 500, 0]
    chain = make_chain(networks("float32", "cuda"), operator, y, timesteps=path)
    states = chain.sequential()
    chain.steps(states[:-1])  # builds and moves the constants
    torch.cuda.synchronize()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    ) as profile:
        chain.steps(states[:-1])
        torch.cuda.synchronize()
    assert not [event.key for event in profile.key_averages() if "Memcpy HtoD" in event.key]


def milliseconds(function, repeats=5):
    """Median time of a call by CUDA events, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[repeats // 2]


@torch.no_grad()
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_time_of_one_parallel_and_one_sequential_restoration(
    networks, dtype, record_property, capsys
):
    size, num_steps = (64, 64), 20
    gaussian, operator = GaussianPrior(power_law_spectrum()), make_task("sr2", size)
    y = operator.A(randn(1, 3, *size, seed=1).clamp(-1, 1)).cuda()
    chain = make_chain(networks(dtype, "cuda"), operator, y, num_steps=num_steps)
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian))
    solver, sweeps = Anderson(), 3

    def parallel():
        state = solver.init(system, make_start("gaussian", chain, gaussian=gaussian))
        for _ in range(sweeps):
            state = solver.step(system, state)
        return state.output

    times = {"sequential": milliseconds(chain.sequential), "parallel": milliseconds(parallel)}
    for name, value in times.items():
        record_property(f"{name}_ms_{dtype}", value)
        assert value > 0
    with capsys.disabled():
        print(
            f"\n{torch.cuda.get_device_name()}, {dtype}, T = {num_steps}, {size[0]}x{size[1]}: "
            f"sequential {times['sequential']:.1f} ms, {sweeps} sweeps {times['parallel']:.1f} ms"
        )


def test_the_benchmark_runs_there(gaussian_prior):
    """The counts are those of the CPU; times and memory are there."""
    from dataclasses import replace

    from deqir_lite.studies.bench.measure import measure_all
    from deqir_lite.studies.bench.runs import BenchRun
    from deqir_lite.studies.bench.samplers import (
        DIFFUSERS,
        NETWORK,
        OURS,
        OURS_GRAPH,
        PEERS,
        WALK,
        WALK_GRAPH,
    )

    run = BenchRun(OURS, "ddnm", "sr2", "coffee", 16, 1, 6, 0.15, "uniform", repeats=1, device="x")
    runs = [replace(run, sampler=name) for name in (OURS, WALK, DIFFUSERS, NETWORK, *PEERS)]
    on_gpu, on_cpu = (
        list(measure_all(runs, gaussian_prior, device=device)) for device in ("cuda", "cpu")
    )
    for there, here in zip(on_gpu, on_cpu, strict=True):
        assert there.marks.keys() == here.marks.keys(), there.run.sampler
        assert all(mark.seconds for mark in there.marks.values())
        assert there.marks == {} or there.peak is not None
    plain, *by_graph = (
        on_gpu[:2],
        *measure_all(
            [replace(run, sampler=name) for name in (OURS_GRAPH, WALK_GRAPH)],
            gaussian_prior,
            device="cuda",
        ),
    )
    for one, other in zip(plain, by_graph, strict=True):
        counts = [{k: mark.sweeps for k, mark in cost.marks.items()} for cost in (one, other)]
        assert counts[0] == counts[1]
        assert all(mark.seconds for mark in other.marks.values())

"""Activations do not grow with T: what autograd keeps is counted by its own hooks."""

import weakref
from contextlib import contextmanager

import pytest
import torch

from deqir_lite import SolveOptions
from deqir_lite.inversion import solve_implicit
from deqir_lite.priors import ModelPrior


class Meter:
    """Bytes that autograd holds for later, now and at most."""

    def __init__(self):
        self.now = self.most = 0

    def _forget(self, size):
        self.now -= size

    @contextmanager
    def watch(self):
        class Kept:
            def __init__(self, tensor):
                self.tensor = tensor

        def pack(tensor):
            kept, size = Kept(tensor.detach()), tensor.numel() * tensor.element_size()
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(kept, self._forget, size)
            return kept

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
            yield self


@pytest.fixture
def measure(chain_for, gaussian_prior):
    """(T, gradient) -> (bytes kept at most besides the states, batch sizes of network calls)."""

    def run(num_steps, gradient, chunk=4):
        calls = []

        def model(x_t, t):
            if torch.is_grad_enabled() and x_t.requires_grad:
                calls.append(len(x_t))
            return torch.tanh(torch.sin(x_t).square() + gaussian_prior(x_t, t))

        prior = ModelPrior(model, gaussian_prior.schedule)
        chain = chain_for("sr2", prior=prior, num_steps=num_steps, batch=2)
        x_T = chain.x_T.clone().requires_grad_()
        start = chain.sequential()
        calls.clear()
        options = {"solve": SolveOptions(form="noise", start=start), "parameters": ()}
        with Meter().watch() as meter:
            solution = solve_implicit(chain, x_T=x_T, gradient=gradient, chunk=chunk, **options)
            solution.x0.sum().backward()
        states = 0 if gradient == "unrolled" else solution.states.nbytes
        return meter.most - states, calls

    return run


@pytest.mark.parametrize("gradient", ["one-step", "neumann", "exact", "exact-series"])
def test_memory_is_flat_in_t(measure, gradient):
    few, few_calls = measure(10, gradient)
    many, many_calls = measure(40, gradient)
    assert few > 0
    assert many <= 1.1 * few
    assert max(many_calls) == max(few_calls) <= 4 * 2


def test_unrolled_memory_grows_with_t(measure):
    few, many = measure(10, "unrolled")[0], measure(40, "unrolled")[0]
    assert many >= 3.6 * few
    assert few > measure(10, "neumann", chunk=1)[0]


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_chunk_bounds_the_batch(measure, chunk):
    _, calls = measure(10, "neumann", chunk)
    assert max(calls) == chunk * 2


def test_how_many_vjps_each_gradient_takes(measure):
    """Images through the network under autograd, of a batch of 2 and T = 10."""
    counted = {name: sum(measure(10, name)[1]) // 2 for name in ("one-step", "neumann", "exact")}
    assert counted == {"one-step": 1, "neumann": 1 + 9 + 8, "exact": 10}

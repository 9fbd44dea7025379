"""CUDA graphs: what the host would launch kernel by kernel is recorded once, then replayed.

At small sizes a GPU waits for the host, which launches some hundred kernels for each call of the
network, and some twenty for each step of a linear recursion. Replayed, the same kernels with the
same numbers follow one another at once.
"""

import copy
import functools
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, x_T_start
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.solvers.anderson import Anderson, AndersonState

_WASTE = 4 / 3
"""A recorded batch also serves smaller ones, down to this part of it."""

_LARGEST = 2**25
"""Values of a batch up to which the host is what the GPU waits for; and a bound on the memory that
recordings keep."""


class Recording:
    """``function()``, which runs CUDA kernels on tensors that stay where they are.

    It must wait for nothing, and copy nothing from the host, once its constants are there; what it
    does beside its kernels is not repeated. Gradients do not pass. ``result`` holds what the last
    :meth:`replay` computed, until the next one.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function  # and with it the constants that the kernels read
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # makes the constants, and chooses the kernels
            function()
        torch.cuda.current_stream().wait_stream(beside)
        self._graph, collects = torch.cuda.CUDAGraph(), gc.isenabled()
        gc.disable()  # what it frees on CUDA would break the recording
        try:
            with torch.cuda.graph(self._graph):
                self.result = function()
        finally:
            if collects:
                gc.enable()

    def replay(self) -> Any:
        """Run the kernels; the result."""
        self._graph.replay()
        return self.result


class Replay:
    """``function`` of CUDA tensors like ``inputs``, as a :class:`Recording`; results are copies."""

    def __init__(self, function: Callable[..., Tensor], *inputs: Tensor) -> None:
        self._inputs = [x.clone() for x in inputs]
        self._recording = Recording(lambda: function(*self._inputs))

    def __call__(self, *inputs: Tensor) -> Tensor:
        """function(*inputs)."""
        for own, x in zip(self._inputs, inputs, strict=True):
            own.copy_(x)
        return self._recording.replay().clone()


def replay_chain(chain: RestorationChain) -> RestorationChain:
    """The same chain, whose prior is :func:`replay_prior` of its own; as it is where the method
    asks the network for a gradient, and elsewhere than on CUDA."""
    if not chain.x_T.is_cuda or chain.consistency.needs_pullback:
        return chain
    prior = replay_prior(chain.prior)
    consistency: Any = copy.copy(chain.consistency)
    consistency.prior = prior
    return replace(chain, prior=prior, consistency=consistency)


def replay_prior(prior: Prior) -> Prior:
    """The same prior, whose network is replayed on CUDA where no gradient is wanted.

    A batch of another size is recorded anew, unless a recorded one is at most a third larger: then
    images are added, and their predictions left out. Recordings are kept with ``prior``, for all
    chains that it samples. Priors other than networks of this package or of diffusers stay as they
    are: a function of somebody else may do more than its kernels.
    """
    kind = type(prior)
    if kind not in (ResidualPrior, NetworkPrior):
        return prior
    held = vars(prior).setdefault("_recordings", {})
    networks = [part for part in vars(prior).values() if isinstance(part, nn.Module)]
    weights = [weight for network in networks for weight in network.parameters()]

    def predict(self: Any, x_t: Tensor, t: Tensor) -> Tensor:
        if not _worth_recording(x_t):
            return kind.__call__(self, x_t, t)
        places = tuple(weight.data_ptr() for weight in weights)  # where a recording reads them
        like = (x_t.shape[1:], x_t.dtype, x_t.device, places)
        sizes = {size: key for key in held if key[1:] == like for size in key[:1]}
        n = min((n for n in sizes if len(x_t) <= n <= _WASTE * len(x_t)), default=len(x_t))
        x, times = _filled(x_t, n), _filled(t.to(x_t.device), n)
        if n not in sizes:
            held[(n, *like)] = Replay(lambda x, t: kind.__call__(self, x, t), x, times)
        return held[(n, *like)](x, times)[: len(x_t)]

    replayed: Any = copy.copy(prior)
    # by its class, so that it is still what it was for whoever asks which kind of prior it is
    replayed.__class__ = type(kind.__name__, (kind,), {"__call__": predict})
    return replayed


def _worth_recording(x: Tensor) -> bool:
    return x.is_cuda and not torch.is_grad_enabled() and 0 < x.numel() <= _LARGEST


def _filled(x: Tensor, count: int) -> Tensor:
    """``x`` (n, ...) with its last entry once more until there are so many."""
    return x if len(x) == count else torch.cat([x, x[-1:].expand(count - len(x), *x.shape[1:])])


class RecordedSolve:
    """Sweeps of ``solver`` on ``system`` from the Gaussian start, each one a recording: network,
    projections, correction and mixing.

    For methods whose linear part is exact and waits for nothing. It is the triangular solver
    without a tolerance: sweep j keeps states[: j + 1], and nothing of it is decided by what the
    host would have to read. Recorded once, for one chain.
    """

    def __init__(self, system: FixedPointSystem, solver: Anderson, gaussian: GaussianPrior) -> None:
        self.system, self.solver = system, solver
        chain = system.chain.with_prior(gaussian)
        under = FixedPointSystem(chain, GaussianFormModel(chain, gaussian))
        self._start = Recording(lambda: _begin(under))
        self._sweeps: list[Recording] = []

    def __iter__(self) -> Iterator[AndersonState]:
        """The state at the start, then after each sweep; each holds until the next iteration."""
        state = self._start.replay()
        yield state
        for first in range(self.system.chain.num_steps):
            if first == len(self._sweeps):
                sweep = functools.partial(_sweep, self.system, self.solver, state, first)
                self._sweeps.append(Recording(sweep))
            state = self._sweeps[first].replay()
            yield state


def _begin(under: FixedPointSystem) -> AndersonState:
    """At the chain of the Gaussian prior, where one sweep of its Gaussian form ends, from any
    states: one recursion in place of T steps of the host."""
    states = x_T_start(under.chain)
    return AndersonState.begin(under, under(states))


def _sweep(
    system: FixedPointSystem, solver: Anderson, state: AndersonState, first: int
) -> AndersonState:
    """One step of the triangular solver where all images have states[: first + 1] frozen.

    These are evaluated, too: so the network sees one size of batch, and is compiled once.
    """
    before = state.states
    output = torch.cat([before[: first + 1], system(before)[first + 1 :]])
    x = before[first + 2 :]
    d = output[first + 2 :] - x
    history = [(past_x[1:], past_d[1:]) for past_x, past_d in state.history]
    states = output
    if len(x) > 0 and history:
        active = torch.ones_like(x[..., :1, :1, :1], dtype=torch.bool)
        mixed, _ = solver.mix(x, d, history, active)
        states = torch.cat([output[: first + 2], mixed])
    kept = [(x, d), *history][: solver.memory]
    return replace(state, states=states, output=output, history=kept, sweeps=first + 1)

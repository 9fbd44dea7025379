"""CUDA graphs: what the host would launch kernel by kernel is recorded once, then replayed.

At small sizes a GPU waits for the host, which launches some hundred kernels for each call of the
network, and some twenty for each step of a linear recursion. Replayed, the same kernels follow one
another at once. A recording belongs to the chain that it was made for: the benchmark times what
that would save a restoration that is repeated.
"""

import functools
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, x_T_start
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.solvers.anderson import Anderson, AndersonState


class Recording:
    """``function()``, which runs CUDA kernels on tensors of ``device`` that stay where they are.

    It must wait for nothing, and copy nothing from the host, once its constants are there; what it
    does beside its kernels is not repeated. Gradients do not pass. ``result`` holds what the last
    :meth:`replay` computed, until the next one.
    """

    def __init__(self, function: Callable[[], Any], device: torch.device) -> None:
        if device.type != "cuda":
            raise ValueError(f"device: got {device}; expected one of CUDA, which alone records")
        self._function = function  # and with it the constants that the kernels read
        self._device, collects = device, gc.isenabled()
        with torch.cuda.device(device), torch.inference_mode(False), torch.no_grad():
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):  # makes the constants, and chooses the kernels
                function()
            torch.cuda.current_stream().wait_stream(beside)
            self._graph = torch.cuda.CUDAGraph()
            gc.disable()  # what it frees on CUDA would break the recording
            try:
                with torch.cuda.graph(self._graph):
                    self.result = function()
            finally:
                if collects:
                    gc.enable()

    def replay(self) -> Any:
        """Run the kernels; the result."""
        with torch.cuda.device(self._device):
            self._graph.replay()
        return self.result


class Replay:
    """``function`` of CUDA tensors like ``inputs``, as a :class:`Recording`; results are copies."""

    def __init__(self, function: Callable[..., Tensor], *inputs: Tensor) -> None:
        with torch.inference_mode(False):
            self._inputs = [x.clone() for x in inputs]
        self._recording = Recording(lambda: function(*self._inputs), inputs[0].device)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """function(*inputs)."""
        for own, x in zip(self._inputs, inputs, strict=True):
            own.copy_(x)
        return self._recording.replay().clone()


class RecordedSolve:
    """Sweeps of ``solver`` on ``system`` from the Gaussian start, each one a recording: network,
    projections, correction and mixing.

    For methods whose linear part is exact and waits for nothing. It is the triangular solver
    without a tolerance: sweep j keeps states[: j + 1], and nothing of it is decided by what the
    host would have to read. What it yields has no ``residual`` and no ``nfe``. Raises ValueError
    elsewhere than on CUDA, for another mixing, a method that asks the network for a gradient, and
    noise that is drawn step by step.
    """

    def __init__(self, system: FixedPointSystem, solver: Anderson, gaussian: GaussianPrior) -> None:
        if system.cut is not None:
            raise ValueError(
                "system: got one with a cut, which the host decides; expected cut=None"
            )
        if solver.mixing != "triangular":
            raise ValueError(f"solver: got the mixing {solver.mixing!r}; expected 'triangular'")
        if system.chain.consistency.needs_pullback or not isinstance(system.chain.noise, Tensor):
            raise ValueError(
                "system: its method asks the network for a gradient, or its noise is drawn step by "
                "step; expected a chain of another method that keeps its noise"
            )
        self.system, self.solver, self._device = system, solver, system.chain.x_T.device
        chain = system.chain.with_prior(gaussian)
        under = FixedPointSystem(chain, GaussianFormModel(chain, gaussian))
        self._start = Recording(lambda: _begin(under), self._device)
        self._sweeps: list[Recording] = []

    def __iter__(self) -> Iterator[AndersonState]:
        """The state at the start, then after each sweep; each holds until the next iteration."""
        state = self._start.replay()
        yield state
        for j in range(self.system.chain.num_steps):
            if j == len(self._sweeps):
                sweep = functools.partial(_sweep, self.system, self.solver, state)
                self._sweeps.append(Recording(sweep, self._device))
            state = self._sweeps[j].replay()
            yield state


def _begin(under: FixedPointSystem) -> AndersonState:
    """At the chain of the Gaussian prior, where one sweep of its Gaussian form ends, from any
    states: one recursion in place of T steps of the host."""
    states = x_T_start(under.chain)
    return AndersonState.begin(under, under(states))


def _sweep(system: FixedPointSystem, solver: Anderson, state: AndersonState) -> AndersonState:
    """One step of ``solver``, all images alike, without reading the residuals.

    What is frozen is evaluated, too: so the network sees one size of batch, and is compiled once.
    """
    done, before = state.first + 1, state.states
    output = torch.cat([before[:done], system(before)[done:]])
    frozen = torch.full_like(state.frozen, done)
    evaluated = replace(state, states=output, output=output, frozen=frozen, sweeps=done)
    active = torch.ones_like(before[done + 1 :, ..., :1, :1, :1], dtype=torch.bool)
    return solver.mixed(state, evaluated, active)

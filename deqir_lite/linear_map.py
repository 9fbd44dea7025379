"""Linear maps in half precision; and with the transpose as gradient, for solves without a graph."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def rounded(f: Map, x: Tensor) -> Tensor:
    """f(x); in float32 where ``x`` has half the precision or less, which the result has then."""
    if x.dtype in (torch.float32, torch.float64):
        return f(x)
    return f(x.float()).to(x.dtype)


def linear_map(v: Tensor, forwards: Map, transpose: Map) -> Tensor:
    """forwards(v), differentiable in v by ``transpose``; also under torch.func."""
    return _LinearMap.apply(v, forwards, transpose)


class _LinearMap(torch.autograd.Function):
    @staticmethod
    def forward(v: Tensor, forwards: Map, transpose: Map) -> Tensor:
        return forwards(v)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.forwards, ctx.transpose = inputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _LinearMap.apply(grads[0], ctx.transpose, ctx.forwards), None, None

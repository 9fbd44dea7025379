"""The batch of a network shared out among ranks: one all-gather a call, and nothing else changes.

Every rank holds the whole chain: its noise, its states, the solver with its history. Of the images
that a sweep asks the network about, a rank evaluates its share; the predictions of all are gathered
on all, and every rank goes on with the same numbers. So forms, solvers, methods and their gradients
know nothing of ranks, and what a solver freezes is shared out anew with the next sweep.
"""

import copy
import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from deqir_lite.checks import check_kinds
from deqir_lite.engine.ranks import reaching_others
from deqir_lite.priors.base import Prior


def shard_prior(prior: Prior, *, group: Any = None) -> Prior:
    """The same prior with its batch shared out among the ranks of ``group``; the given one stays
    as it is.

    Of n images, rank r of R evaluates those from r ceil(n / R) on, ceil(n / R) of them or what is
    left, and none where nothing is; the predictions, and gradients through them, are those of one
    process but for the rounding of other batches. It is the prior's ``__call__`` that is shared
    out. All ranks must call it in the same order with the same images, as they do when chains,
    seeds and options are the same, and no plan depends on the memory that is free on each:
    :func:`deqir_lite.restoration.report.restore_problem` is to be told its ``sampler``. ``group``:
    a process group of :mod:`torch.distributed`, by default all ranks, whose backend is that of the
    images' device: gloo for the CPU, NCCL for GPUs.

    Raises ValueError where torch.distributed is not initialised; a call raises ConnectionError
    when another rank has ended.
    """
    check_kinds(shard_prior, locals())
    if not dist.is_initialized():
        raise ValueError(
            "group: torch.distributed is not initialised; start the program with torchrun and "
            "enter joined_ranks(), or call torch.distributed.init_process_group"
        )
    kind = type(prior)

    def predict(self: Any, x_t: Tensor, t: Tensor) -> Tensor:
        share = _share_of(len(x_t), group)
        x = _Take.apply(x_t, group)
        eps = kind.__call__(self, x, t[share]) if len(x) else x
        return _Gather.apply(eps, len(x_t), group)

    sharded: Any = copy.copy(prior)
    # by its class, so that it is still what it was for whoever asks which kind of prior it is
    sharded.__class__ = type(kind.__name__, (kind,), {"__call__": predict})
    return sharded


def _share_of(count: int, group: Any) -> slice:
    """Which of so many images this rank evaluates."""
    each, rank = math.ceil(count / dist.get_world_size(group)), dist.get_rank(group)
    return slice(rank * each, (rank + 1) * each)


class _Take(torch.autograd.Function):
    """Images (n, ...), the same on all ranks, to this rank's share of them."""

    @staticmethod
    def forward(x: Tensor, group: Any) -> Tensor:
        return x[_share_of(len(x), group)].clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any], output: Tensor) -> None:
        ctx.count, ctx.group = len(inputs[0]), inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(grad, ctx.count, ctx.group), None


class _Gather(torch.autograd.Function):
    """The shares of all ranks to all ``count`` images. What follows is the same on all ranks, so
    that each has the whole gradient, of which it takes its share: the transpose of _Take."""

    @staticmethod
    def forward(part: Tensor, count: int, group: Any) -> Tensor:
        size = dist.get_world_size(group)
        each = math.ceil(count / size)
        padded = part.new_zeros(each, *part.shape[1:])
        padded[: len(part)] = part
        whole = part.new_empty(each * size, *part.shape[1:])
        with reaching_others():
            dist.all_gather(list(whole.split(each)), padded, group=group)
        return whole[:count]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Any], output: Tensor) -> None:
        ctx.group = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Take.apply(grad, ctx.group), None, None

"""NCCL, as far as one GPU can show it: the predictions of a single rank are gathered."""

import socket

import pytest
import torch
import torch.distributed as dist

from deqir_lite.chain import make_chain
from deqir_lite.engine.ranks import joined_ranks
from deqir_lite.engine.sharding import shard_prior
from deqir_lite.operators import make_task
from deqir_lite.restoration import restore_parallel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.skipif(not dist.is_nccl_available(), reason="torch without NCCL"),
]


@pytest.mark.parametrize("method", ["ddnm", "dps"])
def test_one_rank_samples_what_a_process_alone_samples(nonlinear_prior, monkeypatch, method):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    numbers = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in numbers.items():
        monkeypatch.setenv(name, value)
    operator = make_task("sr2", (16, 16))
    photo = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = operator.A(photo.double().cuda())
    with joined_ranks():
        alone, shared = (
            restore_parallel(
                make_chain(prior, operator, y, method=method, num_steps=4), tolerance=0
            )
            for prior in (nonlinear_prior, shard_prior(nonlinear_prior))
        )
    assert shared.x0.is_cuda
    assert (shared.states - alone.states).norm() <= 1e-12 * alone.states.norm()

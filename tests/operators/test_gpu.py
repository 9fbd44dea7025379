"""CUDA against the CPU."""

import pytest
import torch

from deqir_lite.operators import TASKS, make_task

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("name", list(TASKS))
def test_operators_follow_the_device(name):
    operator = make_task(name, (64, 32))
    x = torch.randn(2, 3, 64, 32, dtype=torch.float64)
    y = operator(x)
    for dtype, tolerance in [(torch.float64, 1e-10), (torch.float32, 1e-4)]:
        xg, yg = x.cuda().to(dtype), y.cuda().to(dtype)
        scale = operator.pinv(y).abs().max().item()
        for got, expected in [
            (operator(xg), y),
            (operator.adjoint(yg), operator.adjoint(y)),
            (operator.range_projector(xg), operator.range_projector(x)),
            (operator.vt(xg), operator.vt(x)),
            (operator.pinv(yg) / scale, operator.pinv(y) / scale),
            (operator.ut(yg), operator.ut(y)),
        ]:
            assert got.is_cuda
            assert got.dtype == dtype
            error = (got.cpu().double() - expected).norm() / expected.norm()
            assert error <= tolerance


@pytest.mark.parametrize("name", list(TASKS))
def test_projectors_do_not_wait_for_the_device(name):
    operator = make_task(name, (64, 32))
    x = torch.randn(2, 3, 64, 32, device="cuda")
    operator.null_projector(x)  # builds and moves the constants
    torch.cuda.set_sync_debug_mode("error")
    try:
        operator.null_projector(x)
    finally:
        torch.cuda.set_sync_debug_mode("default")

"""What the tests for a GPU share."""

import pytest
import torch


@pytest.fixture
def full_float32():
    """TensorFloat32 keeps ten bits only, and rounds otherwise in every batch size; the comparisons
    are about float32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before

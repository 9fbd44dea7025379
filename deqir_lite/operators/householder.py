"""Orthonormal bases that begin with a given vector: one Householder reflection.

Averages (grey, block mean) have a single non-zero singular value per group of entries, whose
right singular vector q is known. All that V needs is an orthonormal completion of q.
"""

import torch
from torch import Tensor


def reflection(q: Tensor, dim: int) -> Tensor:
    """The vector w with (I - w w^T) q = e_1, for unit vectors ``q`` along ``dim``.

    H = I - w w^T is orthogonal and symmetric, so H e_1 = q too. Where q = e_1, w = 0.
    """
    e1 = torch.zeros_like(q)
    e1.select(dim, 0).fill_(1)
    w = e1 - q
    length = w.norm(dim=dim, keepdim=True)
    safe = torch.where(length > 0, length, 1)
    return 2**0.5 * w / safe


def reflect(x: Tensor, w: Tensor, dim: int) -> Tensor:
    """(I - w w^T) x along ``dim``; its own inverse."""
    return x - w * (w * x).sum(dim=dim, keepdim=True)

"""Slopes of a loss, and clear words for losses that have none."""

import torch


def check_loss(value: torch.Tensor, *, name: str = "loss") -> None:
    """Raise ValueError unless ``value`` is one number that a gradient can be taken of."""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{name}: returned {type(value).__name__}; expected a torch.Tensor")
    if value.numel() != 1 or not value.is_floating_point():
        raise ValueError(
            f"{name}: returned {value.dtype} of shape {tuple(value.shape)}; expected one number: "
            "take the mean or the sum"
        )
    if value.grad_fn is None:
        raise ValueError(f"{name}: does not depend on x_0, or was detached from it")


def loss_slopes(value: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """dL/dx for the checked loss ``value``; ValueError when it does not depend on ``x``."""
    check_loss(value)
    (slopes,) = torch.autograd.grad(value.reshape(()), x, allow_unused=True)
    if slopes is None:
        raise ValueError("loss: does not depend on x_0, or was detached from it")
    return slopes

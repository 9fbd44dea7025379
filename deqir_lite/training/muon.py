"""Muon: momentum whose singular values are all made equal, for the inner convolutions.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the
step size of Liu et al., "Muon is scalable for LLM training" (2025). torch.optim.Muon takes matrices
only, and iterates in bfloat16, which on a CPU without it takes longer than the rest of a step.
"""

from collections.abc import Iterable

import torch

from deqir_lite.priors.unet import ResidualUNet

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""a, b, c of s -> a s + b s^3 + c s^5: five rounds bring singular values to about 1."""


class Muon(torch.optim.Optimizer):
    """W <- W - lr 0.2 sqrt(max(rows, columns)) orthogonalised(gradient + Nesterov momentum).

    A weight (n, ...) counts as a matrix with n rows. The factor gives the step of each entry the
    size that AdamW's steps have, so that learning rates compare.
    """

    def __init__(
        self, weights: Iterable[torch.nn.Parameter], lr: float, *, momentum: float = 0.95
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; weights without a gradient stay."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight.grad)
                average = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(average, group["momentum"])
                direction = orthogonalise(ahead.flatten(1))
                size = 0.2 * max(direction.shape) ** 0.5
                weight.sub_(group["lr"] * size * direction.view_as(ahead))


def orthogonalise(matrix: torch.Tensor) -> torch.Tensor:
    """U V^T, roughly, for a matrix U S V^T: five Newton-Schulz rounds, in its own precision.

    All rounds are polynomials of the smaller Gram matrix; only at the end is the matrix multiplied.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalise(matrix.T).T
    a, b, c = NEWTON_SCHULZ
    matrix = matrix / matrix.norm().clamp(min=1e-12)
    gram = matrix @ matrix.T
    product = identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(5):
        factor = a * identity + b * gram + c * gram @ gram
        product, gram = factor @ product, factor @ gram @ factor
    return product @ matrix


def inner_convolutions(
    network: ResidualUNet,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """The weights for Muon, convolutions between hidden layers; and all other parameters."""
    inner: list[torch.nn.Parameter] = []
    other: list[torch.nn.Parameter] = []
    for name, weight in network.named_parameters():
        hidden = weight.ndim == 4 and not name.startswith(("input", "output"))
        (inner if hidden else other).append(weight)
    return inner, other

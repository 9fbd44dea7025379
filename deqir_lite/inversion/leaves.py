"""Which tensors a chain's step depends on, besides its state."""

import torch

from deqir_lite.chain import RestorationChain


def differentiable_leaves(chain: RestorationChain) -> list[torch.Tensor]:
    """The leaf tensors with ``requires_grad`` that the chain's first step depends on.

    For example y, from which A^+ y was computed with its graph, the matrix of an operator, or the
    weights of a network. Costs one step of the chain.
    """
    with torch.enable_grad():
        stepped = chain.step(chain.x_T.detach(), 0)
    leaves: dict[int, torch.Tensor] = {}
    seen, pending = set(), [stepped.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # of a node that accumulates into a leaf
        if variable is not None:
            leaves[id(variable)] = variable
        pending.extend(following for following, _ in node.next_functions)
    return list(leaves.values())

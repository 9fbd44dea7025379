"""Checks of chapter 15: the paper's own checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise


@exercise("ex-ch15-heads")
def check_heads(answer: Callable[[Tensor, int], Any]) -> str:
    """The function (qkv, heads) -> the weights of queries, keys and values."""
    as_function(answer)
    heads, width = 3, 4
    qkv = torch.arange(3 * heads * width * 5, dtype=torch.float64).view(-1, 5, 1)
    found = answer(qkv.clone(), heads)
    if not isinstance(found, (tuple, list, Tensor)) or len(found) != 3:
        raise Hint("Return three weights: of queries, keys and values.")
    shape = (heads * width, 5, 1)
    parts = torch.stack([as_tensor(part, shape=shape) for part in found])
    split = qkv.unflatten(0, (heads, 3, width))
    right = torch.stack([split[:, kind].flatten(0, 1) for kind in range(3)])
    wrong = {
        "This is the new order: all queries first. In the old one each head has its own three.": (
            torch.stack(qkv.chunk(3))
        ),
        "Every third row is the order of nobody: a head's queries lie side by side.": (
            torch.stack([qkv[kind::3] for kind in range(3)])
        ),
        "The rows are right, but the heads do not follow one another.": torch.stack(
            [split[:, kind].transpose(0, 1).flatten(0, 1) for kind in range(3)]
        ),
    }
    compare(parts, right, wrong, "Read the rows as (head, kind, place), and take one kind.")
    return "Right: the same numbers in another order, which no shape would have told."


@exercise("ex-ch15-variance")
def check_variance(answer: Callable[[Tensor, float, float], Any]) -> str:
    """The function (out, beta, beta_tilde) -> noise and variance."""
    as_function(answer)
    generator = torch.Generator().manual_seed(0)
    out = torch.rand(2, 6, 2, 2, generator=generator, dtype=torch.float64) * 2 - 1
    beta, low = 0.02, 0.005
    found = answer(out.clone(), beta, low)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise Hint("Return a pair: the noise and the variance.")
    noise, variance = (as_tensor(part, shape=(2, 3, 2, 2)) for part in found)
    if not torch.allclose(noise, out[:, :3], atol=1e-9):
        raise Hint("The noise is in the first three channels.")
    place, logs = out[:, 3:], torch.tensor([low, beta], dtype=torch.float64).log()

    def between(share: Tensor) -> Tensor:
        return share * logs[1] + (1 - share) * logs[0]

    share = (place + 1) / 2
    wrong = {
        "This is the logarithm of the variance.": between(share),
        "The logarithm is interpolated, not the variance.": share * beta + (1 - share) * low,
        "The place runs from -1 to 1, a share from 0 to 1.": between(place).exp(),
        "The bounds are exchanged: 1 stands for beta.": between(1 - share).exp(),
        "This is the deviation.": (between(share) / 2).exp(),
    }
    compare(variance, between(share).exp(), wrong, "Make a share of o, and interpolate logarithms.")
    return "Right: between the two variances, by their logarithms."


@exercise("ex-ch15-keys")
def check_keys(answer: Callable[[Mapping[str, Tensor], Mapping[str, Any]], Any]) -> str:
    """The function (weights, shapes) -> names that are missing, left over, of another shape."""
    as_function(answer)
    weights = {name: torch.zeros(size) for name, size in {"b": 2, "a": 3, "z": 1, "y": 4}.items()}
    shapes = {"b": torch.Size([2]), "a": (4,), "m": (1,), "k": (5,), "y": (4, 1)}
    found = answer(dict(weights), dict(shapes))
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        raise Hint("Return three lists: missing, left over, of another shape.")
    lists = [list(part) for part in found]
    right = [["k", "m"], ["z"], ["a", "y"]]
    if lists == right:
        return "Right. And three empty lists still prove nothing: some mistakes have no shape."
    if [sorted(part) for part in lists] == right:
        raise Hint("The names are right; sort them.")
    if lists[:2] == right[1::-1]:
        raise Hint("Missing is what the architecture expects and the file lacks.")
    if lists[:2] == right[:2] and lists[2] == ["a"]:
        raise Hint("As many numbers are not yet the same shape: (4,) and (4, 1) differ.")
    raise Hint("Work with sets of names; compare shapes as tuples of those that both have.")

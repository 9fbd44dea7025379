"""Argument checks that every layer shares: one clear line that names the argument.

Where a number is taken, NumPy's scalars and tensors or arrays of no dimension are numbers too: the
checks return what they stand for in plain Python, which is then used and kept. Torch is imported by
the checks of tensors only, so that the command checks its options without waiting for it.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from deqir_lite._repr import short

if TYPE_CHECKING:
    import torch

_ADVICE = {
    "Prior": "load_prior loads one by name, or takes a function or a network",
    "LinearOperator": "make_task makes one by name, as_operator from what other libraries have",
    "torch.Tensor": "load_photo reads a photo, torch.from_numpy takes an array",
    "RestorationChain": "make_chain makes one",
    "Problem": "pose_problem poses one",
    "Solver": "make_solver makes one by name",
}
"""Where what is expected comes from."""


def check_kinds(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raise ValueError for the first of a public function's ``arguments`` of a wrong kind.

    Called first in its body, ``check_kinds(make_chain, locals())``: what is asked of an argument is
    its annotation, where that is made of classes, None and protocols that can be checked at run
    time. Others are left to the function, and so are numbers, whose checks say more.
    """
    for name, kinds in _kinds(function).items():
        if not isinstance(arguments[name], kinds):
            raise ValueError(f"{name}: got {kind_of(arguments[name])}; expected {_said(kinds)}")


def kind_of(value: object) -> str:
    """What messages call a value: itself, in short, and its kind."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text, kind = short(value), type(value).__name__
    return text if text.startswith(kind) else f"{text} ({kind})"


@functools.cache
def _kinds(function: Callable[..., Any]) -> dict[str, tuple[Any, ...]]:
    hints = typing.get_type_hints(function)
    found = {name: _classes(hint) for name, hint in hints.items() if name != "return"}
    return {name: classes for name, classes in found.items() if classes}


def _classes(hint: Any) -> tuple[Any, ...]:
    """The classes that values of an annotation have; none where that cannot be told."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        parts = [_classes(part) for part in typing.get_args(hint)]
        return sum(parts, ()) if all(parts) else ()
    kind = dict if typing.is_typeddict(hint) else origin or hint
    protocol = getattr(kind, "_is_protocol", False)
    if not isinstance(kind, type) or kind in (Any, int, float, bool):
        return ()
    if protocol:
        return (kind,) if getattr(kind, "_is_runtime_protocol", False) else ()
    return (kind,) if origin is None or kind is Callable else ()


def _said(kinds: Iterable[type]) -> str:
    names = [{"Tensor": "torch.Tensor"}.get(kind.__name__, kind.__name__) for kind in kinds]
    parts = ["None" if n == "NoneType" else f"{'an' if n[0] in 'AEIO' else 'a'} {n}" for n in names]
    advice = [_ADVICE[name] for name in names if name in _ADVICE]
    return " or ".join(parts) + (f" ({'; '.join(advice)})" if advice else "")


def plain(value: Any) -> Any:
    """The number of a NumPy scalar, or of an array or tensor of no dimension; all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether ``value``, made :func:`plain`, is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """``value`` in an error's one line: of an array or tensor its kind and shape."""
    if getattr(value, "ndim", 0):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    return " ".join(repr(value).split())


def check_choice(name: str, value: Any, known: Iterable[Any]) -> None:
    """Raise ValueError unless ``value`` is one of ``known``; the message lists them."""
    known = list(known)
    if hasattr(value, "__setitem__") or value not in known:  # arrays compare entry by entry
        raise ValueError(
            f"{name}: unknown value {shown(value)}; known: {', '.join(map(str, known))}"
        )


def check_integer(name: str, value: Any, minimum: int) -> int:
    """The plain ``value``; ValueError unless it is an integer of at least ``minimum``."""
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < minimum:
        raise ValueError(f"{name}: got {shown(number)}; expected an integer >= {minimum}")
    return number


def check_interval(name: str, value: Any, low: float, high: float) -> float:
    """The plain ``value``; ValueError unless ``low <= value <= high`` (a NaN never is)."""
    number = plain(value)
    if not is_number(number) or not low <= number <= high:
        raise ValueError(f"{name}: got {shown(number)}; expected a number in [{low:g}, {high:g}]")
    return number


def is_float(x: torch.Tensor) -> bool:
    """Whether ``x`` holds real floating-point numbers that one can compute with, so no float8."""
    return x.is_floating_point() and x.dtype.itemsize > 1


def check_finite(name: str, x: torch.Tensor) -> None:
    """Raise ValueError when ``x`` is not a real floating-point tensor, or holds NaN or infinity."""
    import torch

    if not isinstance(x, torch.Tensor):
        raise ValueError(f"{name}: got {type(x).__name__}; expected a torch.Tensor")
    if not is_float(x):
        raise ValueError(
            f"{name}: got dtype {x.dtype}; expected a floating-point dtype of 16 bits or more"
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name}: contains NaN or infinity; expected finite values")


def check_images(name: str, x: torch.Tensor, *, in_range: bool = False) -> None:
    """Raise ValueError unless ``x`` is a finite float tensor (B, 3, H, W).

    With ``in_range`` the values must also lie in [-1, 1], the range of photos.
    """
    check_finite(name, x)
    if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
        raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected (B, 3, H, W)")
    if in_range and float(x.abs().max()) > 1 + 1e-6:
        raise ValueError(
            f"{name}: values span [{float(x.min()):.3g}, {float(x.max()):.3g}]; expected [-1, 1]"
        )


def check_like(name: str, x: torch.Tensor, shape: Iterable[int], like: torch.Tensor) -> None:
    """Raise ValueError unless ``x`` has the given shape, and the dtype and device of ``like``."""
    expected = tuple(shape)
    if x.shape != expected:
        raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected {expected}")
    if x.dtype != like.dtype or x.device != like.device:
        raise ValueError(
            f"{name}: got {x.dtype} on {x.device}; expected {like.dtype} on {like.device}"
        )


def check_divisible(name: str, size: Sequence[int], factor: int) -> None:
    """Raise ValueError unless both sides of ``size`` (H, W) are multiples of ``factor``."""
    if size[0] % factor or size[1] % factor or 0 in size:
        raise ValueError(
            f"{name}: got size {size[0]}x{size[1]}; both sides must be multiples of {factor}"
        )


def check_size(name: str, size: Any) -> tuple[int, int]:
    """The plain pair; ValueError unless ``size`` is one of positive integers (H, W)."""
    pair = [plain(n) for n in size] if isinstance(size, (tuple, list)) else []
    if len(pair) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in pair):
        raise ValueError(f"{name}: got {shown(size)}; expected two positive integers (H, W)")
    return pair[0], pair[1]


def check_exact_size(
    name: str, size: Sequence[int], expected: Sequence[int], *, of: str | None = None
) -> None:
    """Raise ValueError unless ``size`` is the ``expected`` size (H, W), that ``of`` something."""
    check_size(name, size)
    if tuple(size) != tuple(expected):
        what = f", the size of {of}" if of else ""
        raise ValueError(
            f"{name}: got size {size[0]}x{size[1]}; expected {expected[0]}x{expected[1]}{what}"
        )


def check_deviation(name: str, value: Any) -> float:
    """The plain ``value``; ValueError unless it is a standard deviation: finite and >= 0."""
    number = plain(value)
    if not is_number(number) or not 0 <= number < math.inf:
        raise ValueError(f"{name}: got {shown(number)}; expected a finite number >= 0")
    return number


def several(value: Any) -> list[Any] | None:
    """The plain entries of a list, tuple, or other sequence, array or tensor (n,); else None."""
    if hasattr(value, "ndim"):
        return value.tolist() if value.ndim == 1 else None
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(each) for each in value]
    return None


def deviations(name: str, value: Any, batch: int, *others: str) -> torch.Tensor:
    """A standard deviation for each of ``batch`` images, (B,) float64 on the CPU.

    ``value`` is one number for all of them, or a sequence, array or tensor (B,) with one each.
    Raises ValueError unless all are finite and >= 0; the message also names what ``others`` the
    caller takes.
    """
    import torch

    each = several(value)
    levels = [plain(value)] if each is None else each
    good = all(is_number(level) and 0 <= level < math.inf for level in levels)
    if not good or len(levels) != (1 if each is None else batch):
        known = ["a finite number >= 0", f"one for each of the {batch} images", *others]
        got = shown(levels[0] if each is None else each)
        raise ValueError(f"{name}: got {got}; expected {', or '.join(known)}")
    return torch.tensor(levels, dtype=torch.float64).expand(batch)

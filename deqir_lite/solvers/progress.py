"""A bar for the sweeps of a solve that moves while the network works, and ends at 100 %."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class SweepBar:
    """Shows how many of at most ``total`` sweeps are done; of the one that is at work, how much of
    the ``prior``'s network has been evaluated."""

    def __init__(self, prior: Any, total: int, *, show: bool) -> None:
        self._bar = tqdm(total=total, disable=not show, desc="sweeps", bar_format=_FORMAT)
        self._done, self._inside = 0, 0.0
        held = [prior, *vars(prior).values()] if show and hasattr(prior, "__dict__") else []
        self._networks = [part for part in held if isinstance(part, nn.Module)]

    @contextmanager
    def sweep(self, states: int) -> Iterator[None]:
        """One sweep, in which the network sees so many ``states`` (values of its input) in all."""
        self._inside, hooks = 0.0, []
        for network in self._networks:
            leaves = [part for part in network.modules() if not list(part.children())]
            share = [0.0]

            def begin(_: nn.Module, inputs: Any, share: list[float] = share) -> None:
                seen = next((x.numel() for x in inputs if isinstance(x, torch.Tensor)), 0)
                share[0] = seen / max(states, 1)

            def layer(*_: Any, share: list[float] = share, count: int = len(leaves)) -> None:
                self._move(share[0] / count)

            hooks.append(network.register_forward_pre_hook(begin))
            hooks += [leaf.register_forward_hook(layer) for leaf in leaves]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        self._done += 1
        self._bar.update(self._done - self._bar.n)

    def _move(self, part: float) -> None:
        """Never back, and never beyond the sweep: a layer may be used several times."""
        self._inside = min(self._inside + part, 0.99)
        self._bar.update(self._done + self._inside - self._bar.n)

    def end(self, *, converged: bool) -> None:
        """Nothing is left to do: 100 %, however few sweeps that took."""
        sweeps = f"{self._done} sweep{'' if self._done == 1 else 's'}"
        self._bar.set_postfix_str(sweeps + ("" if converged else ", not converged"), refresh=False)
        self._bar.update(self._bar.total - self._bar.n)
        self._bar.refresh()
        self.close()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

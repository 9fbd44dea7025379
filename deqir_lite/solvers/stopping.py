"""How far x_0 still is from the chain's, estimated from its corrections and where they led."""

from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr


@dataclass(frozen=True, eq=False)
class ErrorEstimate:
    """What the sweeps so far say about the error of x_0, for each image.

    Sweep j corrects the x_0 at which it was evaluated by c_j (RMS). What is missing after it is
    taken to be a c_j with one share a for all sweeps. Then x_0 has gone a (c_i - c_j) from sweep i
    to sweep j, so that every earlier sweep i with a larger correction tells a share,

        a = RMS(x_0 after j less x_0 after i) / (c_i - c_j).

    The median of them counts; where there is none, the share is 1. The first sweep tells only
    where the solve begins at the chain of the Gaussian prior, and c_1 is what the network says
    beside it. In other starts the Gaussian form mends in one sweep what a Gaussian knows, nearly
    all at once; what is left shrinks more slowly.

    This is exact where all errors shrink by the same factor, and for every solver: a solver may
    evaluate a sweep wherever it likes. It is a sound guess where a sweep carries every correction
    down to x_0 at once, as the Gaussian form does; where news travels one state a sweep, x_0 rests
    long before it is right. It is no bound: it is too small where the errors that are left shrink
    more slowly than those that are gone. On chains of 200 steps x_0 can rest for a while far from
    where it ends, and a coarse tolerance may be met there.

    * ``x0``: after each sweep, each (B, ...),
    * ``corrections``: c_1, ..., c_j, each (B,), float64 on the CPU,
    * ``ways``: RMS from where x_0 was after each earlier sweep to where it is, each (B,),
    * ``first_tells``: whether the first sweep does.
    """

    x0: tuple[torch.Tensor, ...] = ()
    corrections: tuple[torch.Tensor, ...] = ()
    ways: tuple[torch.Tensor, ...] = ()
    first_tells: bool = True

    __repr__ = short_repr

    def after(self, before: torch.Tensor, x0: torch.Tensor) -> "ErrorEstimate":
        """With one more sweep, which was evaluated at ``before`` and gave ``x0``, both (B, ...)."""
        norms = [(x0 - past).flatten(1).norm(dim=1) for past in (before, *self.x0)]
        correction, *ways = torch.stack(norms).cpu().double() / x0[0].numel() ** 0.5
        corrections = (*self.corrections, correction)
        return ErrorEstimate((*self.x0, x0), corrections, tuple(ways), self.first_tells)

    @property
    def error(self) -> torch.Tensor:
        """Estimated RMS error of x_0 (B,), in units of [-1, 1]; infinite where no earlier
        correction was larger than the last one."""
        begin, last = 0 if self.first_tells else 1, self.corrections[-1]
        earlier = self.corrections[begin:-1]
        if not earlier:
            return last
        falls, ways = torch.stack(earlier) - last, torch.stack(self.ways[begin:])
        shares = torch.where(falls > 0, ways / falls, torch.nan).nanquantile(0.5, dim=0)
        return torch.where(last > 0, last * shares.nan_to_num(torch.inf), 0.0)

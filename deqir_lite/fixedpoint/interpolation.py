"""The network asked at a few steps of a chain, the nodes, and its answers interpolated in between.

What a network adds to the guess of a Gaussian prior, x_{0|t} - xG_{0|t}, is a correction of the
picture, and changes slowly along a chain whose noise stays the same. So it need not be asked for at
every step: the Gaussian part answers at all of them, at no network's cost, and the rest is taken to
be linear between the nodes, in the position u(t) = t^(2/5). In u the nodes are evenly spaced: they
are close where little noise is left, and most of the picture is decided.

With these answers it is no chain any more: one between two nodes depends on a later state, too. It
is a system of equations near the chain's, which no number of sweeps is sure to solve. Two sets of
nodes, the second half a space further, tell how near
(:func:`deqir_lite.solvers.interpolated.solve_interpolated`).
"""

import math

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_integer, check_kinds
from deqir_lite.methods import StepCoefficients
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of

_POWER = 0.4
"""Of u(t) = t^0.4, in which the nodes are evenly spaced."""

_STAYS = 0.7
"""The least share of the noise that stays from node to node."""


class InterpolatedPrior:
    """``prior`` at the nodes of a chain of T steps; in between ``gaussian`` and, on top of it,
    what ``prior`` adds to its x_0 at the nodes around, weighed by the distance in ``positions``.

    ``nodes`` (m,): rising indices of steps, 0 and T - 1 among them; ``positions`` (T,), falling.
    It takes the states of all T steps at once, (T B, 3, H, W) and (T B,), the B images of a step
    side by side, as :meth:`RestorationChain.steps` gives them.
    """

    def __init__(
        self,
        prior: Prior,
        gaussian: GaussianPrior,
        nodes: torch.Tensor,
        positions: torch.Tensor,
    ) -> None:
        check_kinds(InterpolatedPrior.__init__, locals())
        last = len(positions) - 1
        if (
            len(nodes) < min(2, last + 1)
            or nodes[0] != 0
            or nodes[-1] != last
            or bool((nodes.diff() < 1).any())
        ):
            raise ValueError(f"nodes: got {nodes.tolist()}; expected rising from 0 to {last}")
        self.prior, self.between, self.schedule = prior, gaussian, prior.schedule
        self.gaussian = gaussian_of(prior)  # what methods take of it, which stay what they are
        self.nodes = nodes
        right = torch.searchsorted(nodes, torch.arange(last + 1)).clamp(min=min(1, last))
        self.left, self.right = (right - 1).clamp(min=0), right
        begin, end = positions[nodes[self.left]], positions[nodes[right]]
        self.weight = torch.where(begin > end, (begin - positions) / (begin - end), 0.0)

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps: at the nodes that of the prior, elsewhere of the interpolated x_0.

        Raises ValueError for another number of steps than the chain's.
        """
        steps = len(self.weight)
        if len(x_t) % steps:
            raise ValueError(f"x_t: got {len(x_t)} images; expected those of all {steps} steps")
        nodes, left, right = (index.to(x_t.device) for index in (self.nodes, self.left, self.right))
        signal, noise = self.schedule.at(t, x_t)
        level = (noise / signal).unflatten(0, (steps, -1))  # of eps in x_0
        guess = self.between(x_t, t).unflatten(0, (steps, -1))
        times, rows = t.unflatten(0, (steps, -1)), x_t.unflatten(0, (steps, -1))
        answers = self.prior(rows[nodes].flatten(0, 1), times[nodes].flatten())
        added = level[nodes] * (answers.unflatten(0, (len(nodes), -1)) - guess[nodes])
        share = self.weight.to(x_t).reshape(-1, *[1] * x_t.ndim)
        return (guess + torch.lerp(added[left], added[right], share) / level).flatten(0, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prior!r}, {len(self.nodes)} of {len(self.weight)})"


def count_nodes(num_steps: int) -> int:
    """How many nodes a chain of T steps has by default: 3 + sqrt(T), rounded down, at most T."""
    return min(3 + math.isqrt(check_integer("num_steps", num_steps, 1)), num_steps)


def interpolated_chains(
    chain: RestorationChain, gaussian: GaussianPrior, *, nodes: int | None = None
) -> tuple[RestorationChain, RestorationChain]:
    """The chain asked at ``nodes`` nodes, by default :func:`count_nodes`, and at those half a space
    further, which are one more: both begin and end with the chain.

    Raises ValueError where the rest of the network cannot be interpolated: where the chain goes
    back to more noise, and where it renews so much of its noise that on average less than .7 of it
    stays from one node to the next. At least 2 nodes are taken, and at most T.
    """
    check_kinds(interpolated_chains, locals())
    steps, c = chain.num_steps, chain.coefficients
    count = count_nodes(steps) if nodes is None else check_integer("nodes", nodes, 1)
    count = min(max(count, 2), steps)
    if not bool((c.timesteps.diff() < 0).all()):
        raise ValueError(
            "method: its chain goes back to more noise, where nothing can be interpolated; use "
            "the parallel or the sequential sampler"
        )
    stays = _staying(c) ** (1 / max(count - 1, 1))
    if stays < _STAYS and count < steps:
        raise ValueError(
            f"eta: the chain renews its noise too fast to be interpolated: from one of {count} "
            f"nodes to the next {stays:.2f} of it stays on average, and {_STAYS} is needed; take a "
            "smaller eta where the method has one, or the parallel or the sequential sampler"
        )
    positions = (c.timesteps.double() / max(int(c.timesteps[0]), 1)).pow(_POWER)
    even = torch.linspace(float(positions[0]), float(positions[-1]), count).double()
    shifted = torch.cat([even[:1], (even[1:] + even[:-1]) / 2, even[-1:]])

    def asked_at(wanted: torch.Tensor) -> RestorationChain:
        at = _nearest(wanted, positions)
        return chain.with_prior(InterpolatedPrior(chain.prior, gaussian, at, positions))

    return asked_at(even), asked_at(shifted if count < steps else even)


def asked_steps(chain: RestorationChain) -> int:
    """At how many steps of a chain of :func:`interpolated_chains` the network is asked."""
    assert isinstance(chain.prior, InterpolatedPrior)
    return len(chain.prior.nodes)


def _staying(c: StepCoefficients) -> float:
    """The share of the noise in x_T that is still there before the last step."""
    fresh = c.weights.c1.reshape(c.num_steps, -1).square().mean(1)[:-1]
    level = 1 - c.target[:-1]
    return float((1 - fresh / level).clamp(min=0).sqrt().prod())


def _nearest(wanted: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """The steps nearest to the positions ``wanted`` (m,), all different, the first and the last
    among them."""
    found: list[int] = []
    for value in wanted.tolist():
        nearest = int((positions - value).abs().argmin())
        found.append(max(nearest, found[-1] + 1) if found else 0)
    found[-1] = len(positions) - 1
    for i in range(len(found) - 2, -1, -1):
        found[i] = min(found[i], found[i + 1] - 1)
    return torch.tensor(found)

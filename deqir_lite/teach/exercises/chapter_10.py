"""Checks of chapter 10: what the measurement knows."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.metrics import psnr
from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_prior
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise


@exercise("ex-ch10-axes")
def check_axes(answer: Callable[[float, float, float], Any]) -> str:
    """The function (lam, chi, sigma_y) -> K as a multiple of A^+ for the sum of two pixels."""
    as_function(answer)
    cases = [(0.2, 0.5, 0.3), (0.2, -0.4, 1.0), (1.3, 0.9, 0.0)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])
    lam, chi, sigma = torch.tensor(cases, dtype=torch.float64).T
    seen, one = 2 * lam * (1 + chi), lam * (1 + chi)
    right = seen / (seen + sigma.square())
    wrong = {
        "The singular value of (1, 1) is the root of 2: its square belongs beside lam (1 + chi).": (
            one / (one + sigma.square())
        ),
        "This is the difference's variance: along (1, 1) C has the eigenvalue lam (1 + chi).": (
            2 * lam * (1 - chi) / (2 * lam * (1 - chi) + sigma.square())
        ),
        "sigma_y is a deviation; variances add up.": seen / (seen + sigma),
        "This is what K lacks of A^+, not what it has.": 1 - right,
        "This is an entry of K. A^+ has 1/2 in each.": right / 2,
        "Only without noise are they the same.": torch.ones_like(right),
    }
    otherwise = "Write K = C A^T / (A C A^T + sigma_y^2), and A^+ = A^T / (A A^T)."
    compare(found, right, wrong, otherwise)
    return "Right: the share of the sum's variance in that of its measurement. 1 without noise."


@exercise("ex-ch10-draw")
def check_draw(answer: Callable[..., Any]) -> str:
    """The function (C, A, sigma_y, mu, y, c, n) -> a draw from p(x | y), shape of mu."""
    as_function(answer)
    generator = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    root, A, sigma_y = randn(5, 5), randn(2, 5), 0.4
    C, mu, y, c, n = root @ root.T, randn(5), randn(2), randn(5), sigma_y * randn(2)
    found = as_tensor(answer(C, A, sigma_y, mu, y, c, n), shape=(5,))
    K = C @ A.T @ torch.linalg.inv(A @ C @ A.T + sigma_y**2 * torch.eye(2).double())
    mean = mu + K @ (y - A @ mu)
    right = mean + c - K @ (A @ c + n)
    if torch.allclose(found, mean + c - K @ (A @ c - n), atol=1e-9):
        return "Right, with the noise the other way round, which is as good a draw."
    wrong = {
        "This is the mean of p(x | y), without c and n: everybody would draw the same.": mean,
        "The made-up measurement has no noise: n is missing, and the draws spread too little.": (
            mean + c - K @ (A @ c)
        ),
        "This is a draw from the prior. It has not heard of y.": mu + c,
        "The mean and c are added, but c is not corrected by its own measurement.": mean + c,
        "The guess mu is missing in the correction: y has to be compared with A (mu + c).": (
            mu + c + K @ (y - A @ c - n)
        ),
        "Where is the guess mu? c is only a deviation from it.": c + K @ (y - A @ c - n),
        "This is the deviation w; add the mean.": right - mean,
        "This is x0^ - w: as a draw it would be as good, but c should come in with a plus.": (
            2 * mean - right
        ),
        "sigma_y^2 is missing in S, or it is sigma_y there.": (
            mu + c + C @ A.T @ torch.linalg.solve(A @ C @ A.T, y - A @ (mu + c) - n)
        ),
    }
    compare(found, right, wrong, "Make up a photo mu + c and its measurement; then correct it.")
    return "Right: a made-up photo, corrected by what its own measurement lacks."


class _Counting(TorchFunctionMode):
    """Counts what is asked of torch."""

    calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _collapsing(steps: int, size: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Residuals, projectors with a common range, and alpha_bar."""
    generator = torch.Generator().manual_seed(1)
    roots = torch.randn(steps, size, size, generator=generator, dtype=torch.float64)
    A = torch.randn(2, size, generator=generator, dtype=torch.float64)
    C = roots @ roots.mT
    P = torch.eye(size).double() - C @ A.T @ torch.linalg.inv(A @ C @ A.T) @ A
    r = torch.randn(steps, size, generator=generator, dtype=torch.float64)
    return r, P, torch.linspace(0.1, 1, steps + 1, dtype=torch.float64).square()


@exercise("ex-ch10-collapse")
def check_collapse(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str:
    """The function (r, P, abar) -> d (T, n) of a sweep, in closed form."""
    as_function(answer)
    r, P, abar = _collapsing(steps=5)
    steps = len(r)
    found = as_tensor(answer(r.clone(), P, abar), shape=tuple(r.shape))

    def recursion(projectors: Tensor, ratio: Tensor) -> Tensor:
        d = [r[0]]
        for k in range(1, steps):
            d.append(r[k] + ratio[k] * projectors[k] @ d[-1])
        return torch.stack(d)

    q = (abar[1:] / abar[:-1]).sqrt()
    right = recursion(P, q)
    signal = abar[1:].sqrt()[:, None]
    shifted = torch.einsum("kij,kj->ki", P[:-1], r[:-1]) / signal[:-1]
    early = r.clone()
    early[1:] += signal[1:] * shifted.cumsum(0)
    none = r.clone()
    none[1:] += signal[1:] * (r[:-1] / signal[:-1]).cumsum(0)
    wrong = {
        "P[k] belongs to the step out of states[k], and r[k] to states[k + 1]: take P[k + 1].": (
            early
        ),
        "A root is missing: q is the root of a ratio of two alpha_bar.": recursion(P, q.square()),
        "The projectors are missing: what is measured has no memory.": none,
        "These are only the residuals. What do the earlier ones add?": r,
        "This is what the earlier residuals add. The state's own residual is missing.": right - r,
    }
    compare(found, right, wrong, "Write down d for T = 3 by hand, and compare term by term.")
    calls = []
    for longer in (5, 10):
        given = _collapsing(longer)
        with _Counting() as counting:
            answer(*given)
        calls.append(counting.calls)
    if calls[1] > calls[0]:
        raise Hint(
            f"The numbers are right, but there is a loop in it: {calls[0]} calls of torch for 5 "
            f"steps, {calls[1]} for 10. One batched product and one prefix sum do for any number."
        )
    return "Right: each residual through one projector, then a prefix sum."


@exercise("ex-ch10-cheapest")
def check_cheapest(answer: Any) -> str:
    """Arguments of make_chain that beat twenty steps of DDNM with fewer evaluations."""
    if not isinstance(answer, Mapping):
        raise Hint("Expected a dictionary of arguments of make_chain.")
    try:
        evaluations, quality = _restored(answer)
    except TypeError as error:
        raise Hint(f"make_chain does not take these arguments: {error}") from error
    evaluations_of_ddnm, bar = _restored({})
    if evaluations >= evaluations_of_ddnm:
        raise Hint(f"These are {evaluations} evaluations, no fewer than DDNM's.")
    if quality <= bar:
        raise Hint(f"{quality:.2f} dB in {evaluations} evaluations; DDNM has {bar:.2f} dB.")
    return f"Right: {quality:.2f} dB in {evaluations} evaluations, DDNM {bar:.2f} dB in 20."


def _restored(settings: Mapping[str, Any]) -> tuple[int, float]:
    """Evaluations and PSNR of one sample of the chapter's astronaut."""
    with torch.no_grad():
        photo = load_bundled_photo("astronaut", size=64)
        operator = make_task("inpaint-random", (64, 64))
        prior, y = load_prior("photo64"), operator.A(photo)
        chain: RestorationChain = make_chain(prior, operator, y, **settings)
        return chain.asking_steps(), float(psnr(chain.sequential()[-1], photo))

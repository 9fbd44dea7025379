"""How far K terms of the series are from the exact gradient, for every linear model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_integer, check_kinds
from deqir_lite.fixedpoint import FixedPointSystem, make_model
from deqir_lite.inversion.adjoint import neumann_series, reverse_substitution, step_pullback
from deqir_lite.inversion.slopes import loss_slopes
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of


@dataclass(frozen=True)
class GradientError:
    """dL/dx_T after ``terms`` terms of the series of ``form``, against the exact gradient.

    ``relative_error`` = ||approximate - exact|| / ||exact||; ``cosine`` of the angle between them,
    0 where the approximation is zero; ``vjps``: VJPs of single images that it took.
    """

    form: str
    terms: int
    relative_error: float
    cosine: float
    vjps: int


def gradient_errors(
    chain: RestorationChain,
    loss: Callable[[torch.Tensor], torch.Tensor],
    *,
    forms: Sequence[str] = ("noise", "data", "gaussian", "jacobi"),
    max_terms: int | None = None,
    gaussian: GaussianPrior | None = None,
    chunk: int = 4,
) -> list[GradientError]:
    """Errors of K = 1, ..., ``max_terms`` (by default T) terms, form by form.

    ``loss`` maps x_0 (B, 3, H, W) to a number. All are taken at the sequential chain, so that
    nothing but the series is compared; the exact gradient is that of reverse substitution.

    Raises ValueError for a bad loss, one whose gradient vanishes, and unknown forms.
    """
    check_kinds(gradient_errors, locals())
    max_terms = chain.num_steps if max_terms is None else max_terms
    max_terms = check_integer("max_terms", max_terms, 1)
    if gaussian is None and "gaussian" in forms:
        gaussian = gaussian_of(chain.prior)
    with torch.no_grad():
        states = chain.sequential()
    x0 = states[-1:].clone().requires_grad_()
    with torch.enable_grad():
        g = torch.zeros_like(states[1:])
        g[-1] = loss_slopes(loss(x0[0]), x0)[0]

    def to_x_T(a: torch.Tensor) -> torch.Tensor:
        return step_pullback(chain, states[:1], a[:1])[0].double()

    exact = to_x_T(reverse_substitution(chain, states, g))
    if not exact.any():
        raise ValueError("loss: its gradient with respect to x_T is zero; nothing to compare")
    errors = []
    for form in forms:
        system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian))
        vjps = 0
        for terms, a in enumerate(neumann_series(system, states, g, chunk=chunk), start=1):
            vjps += (1 if terms == 1 else chain.num_steps + 1 - terms) * len(chain.x_T)
            errors.append(_compare(form, terms, to_x_T(a), exact, vjps))
            if terms == max_terms:
                break
    return errors


def _compare(
    form: str, terms: int, got: torch.Tensor, exact: torch.Tensor, vjps: int
) -> GradientError:
    size, wanted = got.norm(), exact.norm()
    error = float((got - exact).norm() / wanted)
    cosine = float((got * exact).sum() / (size * wanted)) if size > 0 else 0.0
    return GradientError(form, terms, error, cosine, vjps)

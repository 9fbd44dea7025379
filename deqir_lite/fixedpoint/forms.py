"""The forms of the fixed-point system by name."""

import math
from collections.abc import Callable

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice, check_kinds
from deqir_lite.fixedpoint.denoisers import LinearDenoiser
from deqir_lite.fixedpoint.models import (
    DataFormModel,
    DenoiserModel,
    GaussianFormModel,
    IncrementModel,
    JacobiModel,
    LinearModel,
)
from deqir_lite.fixedpoint.noise_form import NoiseFormModel
from deqir_lite.priors.gaussian import GaussianPrior

FORMS = ("noise", "data", "gaussian", "jacobi", "increment")


def make_model(
    form: str | LinearDenoiser, chain: RestorationChain, *, gaussian: GaussianPrior | None = None
) -> LinearModel:
    """The linear model of a name, ``noise`` (Proposition 1), ``data``, ``gaussian``, ``jacobi`` or
    ``increment``; or that of the linear denoiser ``form``.

    The Gaussian form needs ``gaussian``, a :class:`GaussianPrior` with the chain's schedule; it may
    bring the share of the noise that it keeps, as in ``gaussian:kept=0.6``.
    """
    check_kinds(make_model, locals())
    if not isinstance(form, str):
        return DenoiserModel(chain, form)
    name, kept = read_form(form)
    if name == "gaussian":
        if gaussian is None:
            raise ValueError("gaussian: got None; the Gaussian form needs a GaussianPrior")
        return GaussianFormModel(chain, gaussian, kept=kept)
    models: dict[str, Callable[[RestorationChain], LinearModel]] = {
        "noise": NoiseFormModel,
        "data": DataFormModel,
        "jacobi": JacobiModel,
        "increment": IncrementModel,
    }
    return models[name](chain)


def read_form(form: str) -> tuple[str, float]:
    """The name of a ``form``, and the share ``kept`` that it brings, else 1; ValueError for another
    name, parameter or share."""
    name, *words = form.split(":")
    check_choice("form", name, FORMS)
    if not words:
        return name, 1.0
    key, _, text = words[0].partition("=")
    try:
        kept = float(text)
    except ValueError:
        kept = math.nan
    if name != "gaussian" or key != "kept" or len(words) > 1 or not 0 <= kept <= 1:
        raise ValueError(
            f"form: got {form!r}; one form has a parameter, the share of the noise that is kept "
            "where A sees, from 0 to 1: gaussian:kept=0.6"
        )
    return name, kept

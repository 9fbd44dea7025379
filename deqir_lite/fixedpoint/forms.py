"""The forms of the fixed-point system by name."""

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

    The Gaussian form needs ``gaussian``, a :class:`GaussianPrior` with the chain's schedule.
    """
    check_kinds(make_model, locals())
    if not isinstance(form, str):
        return DenoiserModel(chain, form)
    check_choice("form", form, FORMS)
    if form == "gaussian":
        if gaussian is None:
            raise ValueError("gaussian: got None; the Gaussian form needs a GaussianPrior")
        return GaussianFormModel(chain, gaussian)
    models: dict[str, Callable[[RestorationChain], LinearModel]] = {
        "noise": NoiseFormModel,
        "data": DataFormModel,
        "jacobi": JacobiModel,
        "increment": IncrementModel,
    }
    return models[form](chain)

"""Priors: noise predictors eps_theta(x_t, t), trained or in closed form."""

from deqir_lite.priors.base import (
    PREDICTION_TYPES,
    ModelPrior,
    Prior,
    epsilon_from_x0,
    predict_x0,
    to_epsilon,
)
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.gaussian_posterior import GaussianPosterior
from deqir_lite.priors.mixture import GaussianMixturePrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.spectrum import PhotoSpectrum, fit_spectrum, power_law_spectrum

__all__ = [
    "PREDICTION_TYPES",
    "GaussianMixturePrior",
    "GaussianPosterior",
    "GaussianPrior",
    "ModelPrior",
    "PhotoSpectrum",
    "Prior",
    "ResidualPrior",
    "epsilon_from_x0",
    "fit_spectrum",
    "power_law_spectrum",
    "predict_x0",
    "to_epsilon",
]

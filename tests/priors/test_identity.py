"""Which prior is this: a digest of its numbers."""

from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.schedule import linear_schedule


def test_prior_digest(make_unet):
    def network(seed=0, **options):
        return NetworkPrior(make_unet(seed=seed), linear_schedule(), **options)

    def function(x_t, t):
        return x_t

    digest = prior_digest(network(), "a name")
    assert digest == prior_digest(network(dtype="float64", max_batch=3), "another name")
    spectra = [power_law_spectrum(size=8), power_law_spectrum(size=8)]
    spectra[1].covariance[0, 0] *= 2
    others = [
        prior_digest(network(seed=1), ""),
        prior_digest(network(prediction_type="v_prediction"), ""),
        *(prior_digest(GaussianPrior(spectrum), "") for spectrum in spectra),
        prior_digest(GaussianPrior(spectra[0], linear_schedule(500)), ""),
        *(prior_digest(ModelPrior(function, linear_schedule()), name) for name in "ab"),
    ]
    assert len({digest, *others}) == 8

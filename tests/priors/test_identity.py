"""Which prior is this: a digest of its numbers."""

import pytest
import torch

from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.schedule import cosine_schedule, linear_schedule


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
        prior_digest(GaussianPrior(spectra[0], schedule=linear_schedule(500)), ""),
        *(prior_digest(ModelPrior(function, linear_schedule()), name) for name in "ab"),
    ]
    assert len({digest, *others}) == 8
    plain = [ModelPrior(torch.nn.Conv2d(3, 3, 1), linear_schedule()) for _ in range(2)]
    assert prior_digest(plain[0], None) != prior_digest(plain[1], None)
    plain[1].model.load_state_dict(plain[0].model.state_dict())
    assert prior_digest(plain[0], None) == prior_digest(plain[1], None)
    with pytest.raises(ValueError, match="prior: got a ModelPrior"):
        prior_digest(ModelPrior(function, linear_schedule()), None)


def test_digest_of_a_residual_prior(make_residual, tmp_path):
    """Saved or not, and in whichever precision; each of its parts counts."""
    prior = make_residual()
    digest = prior_digest(prior, "a name")
    for name, content in prior.files().items():
        (tmp_path / name).write_bytes(content)
    for dtype in ("float32", "float64", "bfloat16"):
        loaded = ResidualPrior.load(tmp_path, dtype=dtype, max_batch=3)
        assert prior_digest(loaded, "another name") == digest
    gaussian, network, scale = prior.gaussian, prior.network, prior.scale
    spectrum = power_law_spectrum(exponent=1.5, size=8)
    cosine = GaussianPrior(gaussian.spectrum, schedule=cosine_schedule())
    others = [
        make_residual(seed=1),
        ResidualPrior(gaussian, network, 1.001 * scale),
        ResidualPrior(GaussianPrior(spectrum), network, scale),
        ResidualPrior(cosine, network, scale),
        gaussian,
    ]
    assert len({digest, *(prior_digest(other, "") for other in others)}) == 6

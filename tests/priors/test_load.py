"""Priors by name."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from deqir_lite import bundled, load_gaussian, load_prior
from deqir_lite.priors import GaussianPrior, load, power_law_spectrum
from deqir_lite.priors.load import prior_folder
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.schedule import cosine_schedule, linear_schedule


@pytest.fixture
def x_t():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_bundled_gaussian_prior():
    prior = load_prior("gaussian")
    assert isinstance(prior, GaussianPrior)
    assert torch.equal(prior.schedule.alpha_bar, linear_schedule().alpha_bar)
    # photos: positively correlated colours, and most of the power at low frequencies
    covariance = prior.spectrum.covariance
    assert float(covariance[0, 1, 0, 1]) > 0.5 * float(covariance[0, 0, 0, 1])
    assert float(covariance[0, 0, 0, 1]) > 100 * float(covariance[0, 0, 0, 32])


def test_the_gaussian_prior_takes_a_schedule():
    schedule = cosine_schedule()
    assert load_gaussian(schedule).schedule is schedule
    assert torch.equal(load_gaussian().schedule.alpha_bar, linear_schedule().alpha_bar)


def test_the_bundled_network(x_t):
    prior = load_prior()
    assert prior.size_divisor == 16
    eps = prior(x_t, torch.tensor([10, 500, 900]))
    assert eps.shape == x_t.shape
    assert eps.isfinite().all()
    # at high noise nearly all of x_t is noise, and any trained network knows it
    assert float((eps[2] - x_t[2]).square().mean()) < 0.1


@pytest.fixture(params=["bundled", "residual"])
def network_name(request, make_residual, tmp_path):
    if request.param == "bundled":
        return "photo64"
    for name, content in make_residual().files().items():
        (tmp_path / name).write_bytes(content)
    return str(tmp_path)


def test_precision_and_batches_reach_the_network(x_t, network_name):
    prior = load_prior(network_name, device="cpu", dtype="float64", max_batch=2)
    assert prior.compute_dtype == torch.float64
    assert prior.max_batch == 2
    t = torch.tensor([10, 500, 900])
    whole = load_prior(network_name, dtype="float64")(x_t.double(), t)
    torch.testing.assert_close(prior(x_t.double(), t), whole, rtol=1e-9, atol=1e-9)
    single = load_prior(network_name)(x_t.double(), t)
    assert 0 < float((single - whole).norm() / whole.norm()) < 1e-4
    assert load_prior(network_name, dtype="bfloat16").compute_dtype == torch.bfloat16
    with pytest.raises(ValueError, match="dtype: unknown value 'half'; known: float32"):
        load_prior(network_name, dtype="half")


def test_a_folder_with_spectrum_and_network_is_no_gaussian_prior(make_residual, x_t, tmp_path):
    saved = make_residual()
    for name, content in saved.files().items():
        (tmp_path / name).write_bytes(content)
    for name in (tmp_path, str(tmp_path)):
        prior = load_prior(name, device="meta")
        assert isinstance(prior, ResidualPrior)
        assert prior.scale.device.type == "meta"
        assert {p.device.type for p in prior.network.parameters()} == {"meta"}
    (tmp_path / "residual.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no residual\.safetensors"):
        load_prior(tmp_path)


def test_a_bundled_residual_prior_needs_no_diffusers(make_residual, monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, "data_root", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "deqir_lite.priors.network", None)  # cannot be imported
    folder = tmp_path / "priors" / "small"
    folder.mkdir(parents=True)
    for name, content in make_residual().files().items():
        (folder / name).write_bytes(content)
    assert isinstance(load_prior("small", max_batch=3), ResidualPrior)
    assert load_prior("small", max_batch=3).max_batch == 3


def test_a_network_folder_by_path_and_by_string(x_t, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(bundled.prior_path("photo64"), folder)
    t = torch.tensor([10, 500, 900])
    expected = load_prior("photo64")(x_t, t)
    for name in (folder, str(folder)):
        assert torch.equal(load_prior(name)(x_t, t), expected)


def test_the_folder_of_a_fitted_gaussian_prior(tmp_path):
    spectrum = power_law_spectrum(size=8)
    spectrum.save(tmp_path / "spectrum.safetensors")
    for name in (tmp_path, str(tmp_path)):
        prior = load_prior(name)
        assert isinstance(prior, GaussianPrior)
        torch.testing.assert_close(
            prior.spectrum.covariance, spectrum.covariance, rtol=1e-6, atol=1e-6
        )
    (tmp_path / "spectrum.safetensors").write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"spectrum: .* is corrupt"):
        load_prior(tmp_path)


def test_bundled_names_come_before_folders_of_that_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    mine = power_law_spectrum(size=4)
    for name in ("gaussian", "photo64"):
        (tmp_path / name).mkdir()
        mine.save(tmp_path / name / "spectrum.safetensors")
        assert prior_folder(name) is None
        for own in (f"./{name}", f"{name}/", Path(name), tmp_path / name):
            assert prior_folder(own) is not None
            assert prior_folder(own).samefile(tmp_path / name)
            assert load_prior(own).spectrum.covariance.shape[-1] == 4
    assert load_prior("gaussian").spectrum.covariance.shape[-1] > 4
    assert load_prior("photo64").size_divisor == 16
    assert prior_folder("owner/name") is None
    assert prior_folder("elsewhere") is None


@pytest.mark.parametrize("name", ["bogus", "/nowhere/at/all", "a/b/c"])
def test_unknown_names_list_the_bundled_ones(name):
    with pytest.raises(FileNotFoundError) as caught:
        load_prior(name)
    assert str(caught.value) == (
        f"prior: {name!r} is no folder, no hub id (owner/name), no module:function and no bundled "
        "prior (photo64, gaussian)"
    )


def test_a_hub_id_is_asked_for(monkeypatch):
    from deqir_lite.priors.network import NetworkPrior

    asked = []
    monkeypatch.setattr(load, "find_model", lambda source: None)
    monkeypatch.setattr(NetworkPrior, "load", lambda source, *a, **o: asked.append(str(source)))
    load_prior("owner/name")
    assert asked == ["owner/name"]


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"prior: .* holds no scheduler_config\.json"):
        load_prior(tmp_path)


def test_a_checkout_without_the_gaussian_prior(monkeypatch, tmp_path):
    (tmp_path / "priors" / "gaussian").mkdir(parents=True)
    monkeypatch.setattr(bundled, "data_root", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"spectrum: no file .*spectrum\.safetensors"):
        load_gaussian()


@pytest.mark.parametrize("name", [7, 0.5, None, True, b"photo64", ["photo64"], "", Path("")])
def test_what_is_no_name_at_all(name):
    with pytest.raises((ValueError, FileNotFoundError), match=r"^prior: [^\n]*$"):
        load_prior(name)

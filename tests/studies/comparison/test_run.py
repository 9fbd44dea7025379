"""A comparison: its numbers, going on after a kill, and several processes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from deqir_lite import load_bundled_photo, make_chain, psnr
from deqir_lite.baselines import simple_answer
from deqir_lite.images import to_uint8
from deqir_lite.metrics import feature_distance, inception, mean_features
from deqir_lite.operators import make_task
from deqir_lite.studies.comparison import measure as measure_module
from deqir_lite.studies.comparison import run as run_module
from deqir_lite.studies.comparison.measure import inception_here, lpips_here, measure
from deqir_lite.studies.comparison.rows import (
    read_rows,
    rows_file,
    unpack_features,
    unpack_picture,
)
from deqir_lite.studies.comparison.run import merged, restorations
from deqir_lite.studies.comparison.settings import plan

MEASURED = {"seconds", "peak_bytes"}
"""What is another number every time."""


def numbers(folder):
    """Key -> all that a second run must find again."""
    return {
        key: replace(row, **dict.fromkeys(MEASURED)) for key, row in read_rows(folder).rows.items()
    }


def test_every_restoration_is_there(compare, settings, photos):
    found = numbers(compare("out"))
    # grey.png is no photo for colorization; the pseudo-inverse has one seed
    per_task = 1 + 2 * 2 * 2
    assert len(found) == per_task * (3 + 2)
    assert set(found) == {each.key for each in restorations(settings, photos, seeds=2)}
    assert all(row.failed is None for row in found.values())


def test_the_numbers_are_those_of_the_restoration(gaussian_prior, photos):
    (setting,) = plan(["ddnm"], ["colorization"], [24], timesteps=[2], sigma_y=[0.1])
    truth = photos[0].load(24)
    row = measure(setting, truth, gaussian_prior, photo="a.png", seed=3, net=None)
    problem = setting.pose(truth)
    x0 = make_chain(
        *(gaussian_prior, problem.operator, problem.y), num_steps=2, eta=1.0, seed=3
    ).sequential()[-1]
    assert row.psnr == pytest.approx(float(psnr(x0, truth)), abs=1e-9)
    inner = (..., slice(4, -4), slice(4, -4))
    assert row.psnr_cropped == pytest.approx(float(psnr(x0[inner], truth[inner])), abs=1e-9)
    grey = (problem.y + 1) / 2
    assert row.consistency == pytest.approx(0, abs=1e-9)
    levels = (((x0 + 1) / 2).clamp(0, 1) * 255).round() / 255
    rounded = float((levels.mean(dim=1, keepdim=True) - grey).abs().sum())
    assert row.consistency_8bit == pytest.approx(rounded, rel=1e-6)
    assert (row.nfe, row.sweeps, row.lpips, row.failed) == (2, 2, None, None)


def test_a_simple_method_asks_no_network(photos):
    (setting,) = plan(["pinv"], ["pool2"], [16])
    truth = photos[0].load(16)
    row = measure(setting, truth, None, photo="a.png", seed=0, net=None)
    operator = make_task("pool2", (16, 16))
    assert row.psnr == pytest.approx(float(psnr(operator.pinv(operator.A(truth)), truth)))
    assert (row.nfe, row.sweeps) == (0, 0)


def test_the_gaussian_mean_is_that_of_dense_algebra(gaussian_prior, photos):
    (setting,) = plan(["gaussian"], ["pool2"], [8], sigma_y=[0.2])
    truth = photos[0].load(8)
    row = measure(setting, truth, gaussian_prior, photo="a.png", seed=0, net=None)
    problem = setting.pose(truth)
    basis = torch.eye(192, dtype=torch.float64).view(-1, 3, 8, 8)
    A = problem.operator.A(basis).flatten(1).T
    C = gaussian_prior.covariance(basis).flatten(1).T
    mean = gaussian_prior.mean(truth).expand(truth.shape).flatten()
    seen = A @ C @ A.T + 0.04 * torch.eye(len(A), dtype=torch.float64)
    gain = C @ A.T @ torch.linalg.inv(seen)
    x0 = (mean + gain @ (problem.y.flatten() - A @ mean)).view_as(truth)
    assert row.psnr == pytest.approx(float(psnr(x0.clamp(-1, 1), truth)), abs=1e-3)
    assert (row.nfe, row.sweeps) == (0, 0)


def test_a_method_that_fails_on_a_photo_says_why(gaussian_prior, photos, monkeypatch):
    def fails(*arguments, **options):
        raise ValueError("chain: its states became infinite")

    monkeypatch.setattr(measure_module, "restore_problem", fails)
    (setting,) = plan(["ddnm"], ["sr2"], [16], timesteps=[2])
    row = measure(setting, photos[0].load(16), gaussian_prior, photo="a.png", seed=0, net=None)
    assert row.failed == "chain: its states became infinite"
    assert row.psnr is None


def test_goes_on_after_a_kill_with_nothing_lost_or_doubled(compare, settings, photos, monkeypatch):
    whole = numbers(compare("whole"))
    done = []

    def killed(*arguments, **options):
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(options["photo"])
        return measure(*arguments, **options)

    with monkeypatch.context() as during:
        during.setattr(run_module, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            compare("killed")
    folder = rows_file(photos[0].path.parents[1] / "killed", 0).parent
    content = rows_file(folder, 0).read_bytes()
    rows_file(folder, 0).write_bytes(content[:-9])  # the last row was being written
    assert len(numbers(folder)) == 6
    calls = []
    monkeypatch.setattr(
        run_module, "measure", lambda *a, **o: calls.append(a[0]) or measure(*a, **o)
    )
    compare("killed")
    assert numbers(folder) == whole
    assert len(calls) == len(whole) - 6
    before = rows_file(folder, 0).read_bytes()
    compare("killed")
    assert rows_file(folder, 0).read_bytes() == before


def test_two_processes_find_what_one_finds(compare, settings, photos):
    whole = numbers(compare("one"))
    compare("two", rank=0, processes=2)
    folder = compare("two", rank=1, processes=2)
    assert numbers(folder) == whole
    shares = [
        {each.photo.name for each in restorations(settings, photos, seeds=1, rank=k, processes=2)}
        for k in range(2)
    ]
    assert not shares[0] & shares[1]
    lines = [rows_file(folder, k).read_bytes().count(b"\n") - 1 for k in range(2)]
    assert sum(lines) == len(whole)
    assert all(lines)


def test_more_processes_go_on_where_fewer_have_stopped(compare):
    folder = compare("out", seeds=1)
    before = rows_file(folder, 0).read_bytes()
    compare("out", seeds=1, rank=1, processes=2)
    assert not rows_file(folder, 1).exists()
    assert rows_file(folder, 0).read_bytes() == before


def test_other_settings_are_refused_before_the_work(compare):
    compare("out", seeds=1)
    with pytest.raises(ValueError, match="another dtype: 'float64' there, 'float32' now"):
        compare("out", seeds=1, dtype="float32")


def test_a_process_waits_while_another_one_merges(compare, monkeypatch):
    folder = compare("out", seeds=1)
    monkeypatch.setattr(run_module, "PATIENCE", 0.0)
    with (
        merged(folder, folder / "methods.json"),
        pytest.raises(BlockingIOError, match="another process"),
        merged(folder, folder / "methods.json"),
    ):
        pass


def test_advice_on_memory_names_options_that_the_command_has(nonlinear_prior, photos, monkeypatch):
    monkeypatch.setattr("deqir_lite.restoration.plan.available_memory", lambda device: 1000)
    (setting,) = plan(["ddnm"], ["sr2"], [16], timesteps=[2], forms=["noise"])
    with pytest.raises(ValueError, match="is needed with smaller --sizes, --forms none$"):
        measure(
            *(setting, photos[0].load(16), nonlinear_prior),
            **{"photo": "a.png", "seed": 0, "net": None},
        )


def test_max_batch_of_a_prior_is_kept(nonlinear_prior, photos, monkeypatch):
    asked = []

    def planned(problem, prior, **options):
        asked.append(options["max_batch"])
        raise ValueError("memory: enough")

    monkeypatch.setattr(measure_module, "plan_restoration", planned)
    nonlinear_prior = copy.copy(nonlinear_prior)
    nonlinear_prior.max_batch = 3
    (setting,) = plan(["ddnm"], ["sr2"], [16], timesteps=[2])
    with pytest.raises(ValueError, match="enough"):
        measure(
            *(setting, photos[0].load(16), nonlinear_prior),
            **{"photo": "a.png", "seed": 0, "net": None},
        )
    assert asked == [3]


def test_feature_distances_are_those_of_the_clamped_photos():
    pytest.importorskip("efficientnet_lite_pytorch")
    (setting,) = plan(["baseline"], ["sr2"], [32])
    truth = load_bundled_photo("cat", size=32)
    who = {"photo": "a.png", "seed": 0, "net": None}
    row = measure(setting, truth, None, features="efficientnet-lite0", **who)
    operator = make_task("sr2", (32, 32))
    x0 = simple_answer(operator, operator.A(truth))[1].clamp(-1, 1)
    assert row.lite0_relative == pytest.approx(float(feature_distance(x0, truth)))
    stored = unpack_features(row.features)
    torch.testing.assert_close(stored, mean_features(torch.cat([x0, truth])), atol=1e-3, rtol=1e-3)
    assert measure(setting, truth, None, **who).lite0_relative is None
    assert torch.is_grad_enabled(), "as it was before"


def test_features_of_fid_are_those_of_the_clamped_photos(photos, monkeypatch):
    seen = []
    monkeypatch.setattr(
        measure_module, "inception_features", lambda x: seen.append(x) or x.flatten(1)[:, :4]
    )
    (setting,) = plan(["pinv"], ["sr2"], [16])
    who = {"photo": "a.png", "seed": 0, "net": None}
    truth = photos[0].load(16)
    row = measure(setting, truth, None, inception="inception-v3-compat", **who)
    (both,) = seen
    assert torch.equal(both[1:], truth)
    assert both.abs().max() <= 1
    stored = unpack_features(row.inception)
    torch.testing.assert_close(stored, both.flatten(1)[:, :4].float(), atol=1e-3, rtol=1e-3)
    assert measure(setting, truth, None, **who).inception is None


def test_distances_are_left_out_without_their_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    inception._load.cache_clear()
    assert (lpips_here(), inception_here()) == (None, None)


def test_a_picture_is_what_a_file_would_have(photos):
    (setting,) = plan(["baseline"], ["sr2"], [16])
    who = {"photo": "a.png", "seed": 0, "net": None}
    truth = photos[0].load(16)
    row = measure(setting, truth, None, pictures=True, **who)
    operator = make_task("sr2", (16, 16))
    x0 = simple_answer(operator, operator.A(truth))[1]
    assert np.array_equal(np.asarray(unpack_picture(row.picture)), to_uint8(x0)[0])
    assert measure(setting, truth, None, **who).picture is None

"""The study of where the steps lie: what it measures, what it keeps, and the file of the book."""

import json
import math

import pytest
import torch

from deqir_lite import (
    load_gaussian,
    load_photo,
    make_chain,
    photo_names,
    psnr,
    restore_parallel,
    save_image,
)
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.studies.steps import (
    ETAS,
    SPACINGS,
    STUDY,
    TASKS,
    Quality,
    StepsRun,
    best_settings,
    find,
    in_folder,
    measure,
    study_photos,
    study_runs,
)
from deqir_lite.verification import bent_prior

RUN = StepsRun("sr2", 4, "quadratic", 0.5, ("a.png", "b.png"), solved=1, size=16)


@pytest.fixture(scope="module")
def gaussian():
    return load_gaussian()


@pytest.fixture(scope="module")
def bent():
    """Quick, and not Gaussian."""
    return bent_prior(GaussianPrior(power_law_spectrum()))


@pytest.fixture
def folder(tmp_path, gaussian_prior):
    made = tmp_path / "photos"
    made.mkdir()
    drawn = gaussian_prior.sample((3, 24, 24), torch.Generator().manual_seed(2)).clamp(-1, 1)
    for name, photo in zip(("a.png", "b.png", "c.png"), drawn, strict=True):
        save_image(made / name, photo)
    save_image(made / "aa-grey.png", drawn[0].mean(dim=0, keepdim=True))
    save_image(made / "ab-small.png", drawn[0, :, :12])
    return made


def quality(task="sr2", num_steps=20, spacing="cubic", eta=1.0, value=20.0):
    run = StepsRun(task, num_steps, spacing, eta, ("a.png", "b.png"))
    return Quality(run, (value - 1, value + 1), ())


def test_the_runs_cover_every_combination_once():
    runs = study_runs(["a.png", "b.png", "c.png"])
    assert len(runs) == len(set(runs)) == len(TASKS) * 3 * (3 * len(ETAS) + 2)
    assert [run.num_steps for run in runs] == sorted(run.num_steps for run in runs)
    assert {run.eta for run in runs if run.num_steps == 50} == {0.15, 1.0}
    assert {run.spacing for run in runs} == set(SPACINGS)
    solved = [run for run in runs if run.solved]
    assert {(run.num_steps, run.spacing) for run in solved} == {(20, "uniform"), (20, "cubic")}
    assert len(solved) == len(TASKS) * 2 * len(ETAS)
    assert {run.solved for run in solved} == {2}
    assert {run.solved for run in study_runs(["a.png"])} == {0, 1}


def test_the_first_photos_in_colour_that_are_large_enough(folder):
    assert study_photos(folder, 2, size=16) == ["a.png", "b.png"]
    with pytest.raises(ValueError, match="photos: .* holds 3 colour photos of 16 pixels"):
        study_photos(folder, 4, size=16)
    with pytest.raises(ValueError, match="count: got 0"):
        study_photos(folder, 0, size=16)


def test_a_run_is_one_chain_for_each_photo(folder, bent, gaussian):
    found = measure(RUN, folder, bent, gaussian)
    operator = make_task("sr2", (16, 16))
    values, counts = [], []
    for name in RUN.photos:
        photo = load_photo(folder / name, size=16)
        chain = make_chain(
            bent, operator, operator.A(photo), num_steps=4, eta=0.5, seed=0, spacing="quadratic"
        )
        sequential = chain.sequential()[-1]
        values.append(psnr(sequential, photo).item())
        solution = restore_parallel(chain, form="gaussian", tolerance=0.0, record=("x0",))
        counts.append([psnr(x0, sequential).item() >= 40 for x0 in solution.trace.x0])
    assert found.run == RUN
    assert found.psnr == pytest.approx(values, abs=1e-3)
    assert found.mean_psnr == pytest.approx(sum(values) / 2, abs=1e-3)
    (sweeps,) = found.sweeps
    assert 0 < sweeps <= 4
    assert counts[0].index(True) + 1 == sweeps


def test_lookups():
    entries = [
        quality(value=20.0),
        quality(spacing="uniform", eta=0.5, value=21.0),
        quality(num_steps=50, value=30.0),
        quality(task="sr4", value=10.0),
    ]
    assert best_settings(entries) == {"sr2": ("uniform", 0.5), "sr4": ("cubic", 1.0)}
    assert best_settings(entries, num_steps=50) == {"sr2": ("cubic", 1.0)}
    assert find(entries, "sr2", 50, "cubic", 1.0).psnr == (29.0, 31.0)
    with pytest.raises(KeyError):
        find(entries, "sr2", 50, "cubic", 0.5)


def test_the_file_names_the_photos(tmp_path, folder, bent):
    out = tmp_path / "steps.json"
    (first,) = in_folder(folder).run(out, [RUN], prior=bent, prior_name="bent")
    assert json.loads(out.read_text())["qualities"][0]["photos"] == ["a.png", "b.png"]
    (again,) = STUDY.load(out)
    assert (again.run, again.sweeps) == (RUN, first.sweeps)
    assert again.psnr == pytest.approx(first.psnr, abs=0.001)


def entry(**changed):
    fields = vars(RUN) | {"psnr": [20.0, 21.0], "sweeps": [2]} | changed
    return json.dumps({"qualities": [fields]})


@pytest.mark.parametrize(
    "text", [entry(psnr=[math.nan, 20.0]), entry(psnr=[20.0]), entry(sweeps=[])]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="no steps study"):
        STUDY.load(path)
    path.write_text(entry())
    assert [found.run for found in STUDY.load(path)] == [RUN]


def test_the_bundled_file_is_complete():
    entries = STUDY.load()
    photos = entries[0].run.photos
    assert {found.run for found in entries} == set(study_runs(photos))
    assert len(entries) == len(study_runs(photos))
    assert {name.split(".")[0] for name in photos}.isdisjoint(photo_names())
    assert all(None not in found.sweeps for found in entries)

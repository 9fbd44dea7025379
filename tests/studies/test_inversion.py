"""The study of chosen noise: what it measures, what it keeps, and the file of the book."""

import json
import math
from dataclasses import replace

import pytest

from deqir_lite import (
    load_bundled_photo,
    load_gaussian,
    load_prior,
    make_chain,
    photo_names,
    psnr,
)
from deqir_lite.restoration import make_problem_chain
from deqir_lite.studies.inversion import (
    SAMPLES,
    STUDY,
    TEACHERS,
    Inversion,
    InversionRun,
    measure,
    other_samples,
    problem_of,
    study_runs,
    teacher_photo,
)
from deqir_lite.studies.study import chain_settings

RUN = InversionRun("sr2", "cat", "oracle", size=16, num_steps=4, steps=3)


@pytest.fixture(scope="module")
def photos():
    return load_gaussian()


def descent(run=RUN, loss=(3.0, 1.0, 2.0, 2.5), quality=(20.0, 21.0, 25.0, 19.0)):
    return Inversion(run, loss, quality, (1.0, 1.0, 1.0, 1.0), 20.5, None)


def test_the_best_step_is_chosen_by_the_loss_and_not_by_the_photo():
    assert descent().best == 1
    assert descent().gain == pytest.approx(1.0)
    assert descent().gain_over_others == pytest.approx(0.5)
    assert descent(loss=(1.0, 2.0, 3.0, 4.0)).gain == 0


def test_the_runs_cover_every_combination_once():
    runs = study_runs()
    assert len(runs) == len(set(runs)) == 2 * len(photo_names()) * len(TEACHERS)
    assert {run.photo for run in study_runs(photos=["cat"])} == {"cat"}


def test_only_the_oracle_sees_the_original(photos, monkeypatch):
    original = load_bundled_photo("cat", size=16)
    assert teacher_photo(RUN, photos).equal(original)
    expected = {t: teacher_photo(replace(RUN, teacher=t), photos) for t in ("restorer", "mean")}

    problem = problem_of(RUN)
    for photo in expected.values():
        assert not photo.allclose(original, atol=0.02)
        assert photo.abs().max() <= 1
    # The same y from another photo gives the same teachers: only y counts.
    other = problem.operator.pinv(problem.y)
    monkeypatch.setattr("deqir_lite.studies.inversion.load_bundled_photo", lambda *_, **__: other)
    for name, photo in expected.items():
        assert teacher_photo(replace(RUN, teacher=name), photos).allclose(photo, atol=1e-4)


def test_the_mean_is_that_of_other_noise_than_the_chains(photos):
    problem, settings = problem_of(RUN), chain_settings(RUN)
    chain, single = (
        make_problem_chain(problem, photos, method="ddnm", settings=settings, seed=seed)
        for seed in (0, 1)
    )
    assert not single.x_T.allclose(chain.x_T)
    repeated = problem.y.repeat(SAMPLES, 1, 1, 1)
    several = make_chain(photos, problem.operator, repeated, **settings, seed=1)
    x0 = several.sequential()[-1]
    assert other_samples(RUN, photos).allclose(x0, atol=1e-6)
    teacher = teacher_photo(replace(RUN, teacher="mean"), photos)
    assert teacher.allclose(x0.mean(0, keepdim=True), atol=1e-6)
    original = load_bundled_photo("cat", size=16)
    singles = psnr(x0, original.expand_as(x0)).mean().item()
    assert psnr(teacher, original).item() > singles
    found = measure(replace(RUN, steps=1), photos, photos)
    assert found.others_psnr == pytest.approx(singles, abs=1e-4)


@pytest.mark.equation("12", "13")
def test_a_run_begins_at_the_untouched_noise_and_goes_down(photos):
    found = measure(RUN, photos, photos)
    assert found.run == RUN
    assert found.teacher_psnr is None
    assert len(found.loss) == len(found.psnr) == len(found.shell) == RUN.steps + 1
    settings = chain_settings(RUN)
    chain = make_problem_chain(problem_of(RUN), photos, method="ddnm", settings=settings)
    original = load_bundled_photo("cat", size=16)
    untouched = psnr(chain.sequential()[-1], original).item()
    assert found.psnr[0] == pytest.approx(untouched, abs=0.05)
    assert found.loss[-1] < found.loss[0]
    assert found.gain > 0.1
    assert found.shell[0] == pytest.approx(chain.x_T.square().mean().item())


def test_the_teacher_is_scored_against_the_original(photos):
    run = replace(RUN, teacher="restorer", steps=1)
    found = measure(run, photos, photos)
    photo = teacher_photo(run, photos)
    original = load_bundled_photo("cat", size=16)
    assert found.teacher_psnr == pytest.approx(psnr(photo, original).item())
    assert found.loss[1] < found.loss[0]
    with pytest.raises(ValueError, match="teacher"):
        measure(replace(RUN, teacher="nobody"), photos, photos)
    with pytest.raises(ValueError, match="steps"):
        measure(replace(RUN, steps=0), photos, photos)


def test_the_file_keeps_what_chooses_the_best_step(tmp_path, photos):
    out = tmp_path / "inversion.json"
    (first,) = STUDY.run(out, [RUN], prior=photos)
    (again,) = STUDY.load(out)
    assert again.run == RUN
    assert again.best == first.best
    assert again.psnr == pytest.approx(first.psnr, abs=0.0006)


def entry(**changed):
    rows = {"loss": [1] * 4, "psnr": [2] * 4, "shell": [1] * 4}
    fields = vars(RUN) | rows | {"others_psnr": 2}
    return json.dumps({"descents": [fields | {"teacher_psnr": None} | changed]})


@pytest.mark.parametrize(
    "text",
    [entry(psnr=[1, 2]), entry(loss=[1, 2, 3, math.nan]), entry(others_psnr="much")],
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="no inversion study"):
        STUDY.load(path)
    path.write_text(entry())
    assert [d.run for d in STUDY.load(path)] == [RUN]


def test_the_bundled_file_is_complete():
    descents = STUDY.load()
    assert len(descents) == len(study_runs())
    assert {d.run for d in descents} == set(study_runs())
    for d in descents:
        assert min(d.loss) < d.loss[0]
        assert (d.teacher_psnr is None) == (d.run.teacher == "oracle")
        # A mean square distance from the original is a PSNR: 10 log10(4 / loss), unclamped.
        if d.run.teacher == "oracle":
            assert all(
                p >= 10 * math.log10(4 / v) - 0.01 for p, v in zip(d.psnr, d.loss, strict=True)
            )


def test_an_entry_of_the_bundled_file_measured_again(photos):
    """Its first two steps: what follows only repeats them."""
    stored = next(
        d for d in STUDY.load() if d.run == InversionRun("deblur-anisotropic", "cat", "restorer")
    )
    again = measure(replace(stored.run, steps=2), load_prior("photo64"), photos)
    assert again.psnr == pytest.approx(stored.psnr[:3], abs=0.2)
    assert again.loss == pytest.approx(stored.loss[:3], rel=0.05)
    assert again.others_psnr == pytest.approx(stored.others_psnr, abs=0.05)
    assert again.teacher_psnr == pytest.approx(stored.teacher_psnr, abs=0.05)

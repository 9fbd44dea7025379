"""The work: batches do not decide numbers, interruptions lose nothing, order and budget."""

import time
from itertools import count

import pytest
import torch

from deqir_lite import make_chain, restore_sequential, save_image
from deqir_lite.images import to_uint8
from deqir_lite.machine import describe_device, versions
from deqir_lite.metrics import psnr
from deqir_lite.operators import TASKS, make_task
from deqir_lite.restoration import pose_problem
from deqir_lite.studies.evaluation import run as run_module
from deqir_lite.studies.evaluation.run import restore_samples
from deqir_lite.studies.evaluation.settings import GOAL_SIZE, Setting, plan, seeds_of
from deqir_lite.studies.evaluation.summary import summarise

# --- batches ---


@pytest.mark.parametrize("task", ["inpaint-random", "sr2", "colorization"])
@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_batches_are_single_chains(nonlinear_prior, gaussian_prior, task, batch):
    photos = gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(0))
    problem = pose_problem(photos, task)
    settings = {"num_steps": 4, "eta": 0.5, "spacing": "quadratic"}
    chunks = restore_samples(problem, nonlinear_prior, settings=settings, seeds=3, batch=batch)
    together = torch.cat(list(chunks))
    alone = [
        make_chain(
            nonlinear_prior, problem.operator, one[None], **settings, seed=seed
        ).sequential()[-1]
        for one in problem.y
        for seed in range(3)
    ]
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=1e-12)


def test_batch_limit(gaussian_prior):
    problem = pose_problem(torch.zeros(3, 3, 8, 8), "sr2")
    settings = {"num_steps": 2, "eta": 0.5, "spacing": "cubic"}
    for batch, expected in ((7, [6, 3]), (4, [3, 3, 3]), (2, [2, 1, 2, 1, 2, 1])):
        chunks = restore_samples(problem, gaussian_prior, settings=settings, seeds=3, batch=batch)
        assert [len(chunk) for chunk in chunks] == expected


# --- scores ---


def test_scores_are_of_each_seed_and_of_their_mean(make_evaluation, settings):
    evaluation = make_evaluation()
    assert evaluation.run(settings)
    setting = next(s for s in settings if s.task == "sr2")
    photo = evaluation.photos[0]
    truth = photo.load(16)
    operator = make_task("sr2", (16, 16))
    samples = torch.cat(
        [
            restore_sequential(
                make_chain(
                    evaluation.prior,
                    operator,
                    operator.A(truth),
                    num_steps=setting.timesteps,
                    eta=setting.eta,
                    seed=seed,
                )
            ).x0
            for seed in range(3)
        ]
    )
    entry = evaluation.results.samples[setting, photo.name]
    assert entry["single"]["psnr"] == pytest.approx(psnr(samples, truth).tolist(), abs=1e-9)
    mean = samples.mean(0, keepdim=True)
    assert entry["mean"]["psnr"] == pytest.approx(float(psnr(mean, truth)), abs=1e-9)
    # averaging first and clamping afterwards is at least as good as an average sample
    assert entry["mean"]["psnr"] > sum(entry["single"]["psnr"]) / 3


def test_grey_photos_say_nothing_about_colour(make_evaluation, settings):
    evaluation = make_evaluation()
    evaluation.run(settings)
    photos = {task: {p for s, p in evaluation.results.samples if s.task == task} for task in TASKS}
    assert photos["colorization"] == {"a.png", "b.jpg"}
    assert photos["sr2"] == {"a.png", "b.jpg", "grey.png"}


def test_photos_are_not_enlarged(make_evaluation, photo_folder, gaussian_prior):
    """A smaller photo is left out at that size only, and is not the one of the figure."""
    small = gaussian_prior.sample((1, 16, 20), torch.Generator().manual_seed(3))
    save_image(photo_folder / "Small.png", small)
    evaluation = make_evaluation()
    with pytest.warns(UserWarning, match="photos: left out 1 of 4 at 24 pixels.*Small.png"):
        evaluation.run(plan(["sr2"], [16, 24], [3], eta=[0.5]))
    ran = {size: {p for s, p in evaluation.results.samples if s.size == size} for size in (16, 24)}
    assert ran[24] == {"a.png", "b.jpg", "grey.png"}
    assert ran[16] == ran[24] | {"Small.png"}
    (setting,) = evaluation.pictures.rows  # the most important stage: here the smaller size
    assert setting.size == 16
    with pytest.warns(UserWarning, match="left out 1"):
        evaluation.run(plan(["sr2"], [24], [3], eta=[0.5]))
    for (_, side, *_), row in evaluation.pictures.rows.items():
        shown = {16: "Small.png", 24: "a.png"}[side]
        truth = next(photo for photo in evaluation.photos if photo.name == shown).load(side)
        assert (row[:1] == to_uint8(truth)).all()
    assert len(evaluation.pictures.rows) == 2


def test_a_size_larger_than_all_photos_is_refused_before_the_work(make_evaluation):
    evaluation = make_evaluation(prior=None)
    with pytest.raises(ValueError, match="sizes: got 32, but all 3 photos are smaller"):
        evaluation.run(plan(["sr2"], [16, 32], [3]))
    assert not evaluation.results.references


def test_a_prior_that_predicts_infinity_gets_no_score(make_evaluation, settings, gaussian_prior):
    def infinite(x_t, t):
        return x_t / 0

    infinite.schedule = gaussian_prior.schedule
    evaluation = make_evaluation(prior=infinite)
    with pytest.raises(ValueError, match=r"prior: .*infinite predicts NaN or infinity at timestep"):
        evaluation.run(settings[:1])
    assert not evaluation.results.samples


# --- resuming ---


class Interrupting:
    """A prior that is interrupted at its n-th call."""

    def __init__(self, prior, calls):
        self.prior, self.schedule, self.calls = prior, prior.schedule, count(1 - calls)

    def __call__(self, x_t, t):
        if next(self.calls) == 0:
            raise KeyboardInterrupt
        return self.prior(x_t, t)


@pytest.mark.parametrize("calls", [1, 5, 14, 20])
def test_an_interrupted_run_goes_on(make_evaluation, settings, gaussian_prior, calls):
    whole = make_evaluation("whole")
    whole.run(settings)
    with pytest.raises(KeyboardInterrupt):
        make_evaluation("parts", prior=Interrupting(gaussian_prior, calls)).run(settings)
    again = make_evaluation("parts")
    before = dict(again.results.samples)
    assert len(before) < len(whole.results.samples)
    again.run(settings)
    assert before.items() <= again.results.samples.items()
    assert summarise(again.results) == summarise(whole.results)
    assert sorted(again.results.references) == sorted(whole.results.references)


def test_nothing_is_computed_twice(make_evaluation, settings):
    make_evaluation().run(settings)
    assert make_evaluation(prior=None).run(settings)


def test_pictures_that_are_not_there_are_drawn_again(make_evaluation, settings, monkeypatch):
    """The same ones, and without touching a number: they may be those of another machine."""
    evaluation = make_evaluation()
    evaluation.run(settings)
    results, rows = evaluation.results, dict(evaluation.pictures.rows)
    assert [setting.timesteps for setting in rows] == [3, 3]
    for entry in results.samples.values():
        entry["mean"]["psnr"] = 1.0
    results.context = {"devices": ["elsewhere"]}
    results.save()

    evaluation.pictures.path.unlink()
    assert make_evaluation(prior=None).run(settings, draw=False)
    assert make_evaluation(prior=None).run(settings, references_only=True)
    again = make_evaluation()
    assert again.run(settings)
    assert again.results == results
    assert again.pictures.rows.keys() == rows.keys()
    assert all((again.pictures.rows[setting] == rows[setting]).all() for setting in rows)


def test_a_drawing_that_was_interrupted_goes_on(make_evaluation, settings):
    evaluation = make_evaluation()
    evaluation.run(settings)
    removed = evaluation.pictures.rows.pop(settings[0])
    again = make_evaluation()
    again.pictures.rows = dict(evaluation.pictures.rows)
    again.run(settings, draw=False)
    assert (again.pictures.rows[settings[0]] == removed).all()


def test_who_has_contributed_is_in_the_context(make_evaluation, settings):
    evaluation = make_evaluation()
    evaluation.results.context = {"versions": {"torch": "1.0"}, "prior": "mine"}
    evaluation.run(settings)
    assert evaluation.results.context == {
        "versions": versions() | {"torch": f"1.0, {versions()['torch']}"},
        "devices": [describe_device(torch.device("cpu"))],
        "prior": "mine",
    }


def test_references_first(make_evaluation, settings):
    evaluation = make_evaluation(prior=None)
    assert evaluation.run(settings, references_only=True)
    assert not evaluation.results.samples
    lines = summarise(evaluation.results)
    assert [line.setting.task for line in lines] == ["sr2", "colorization"]
    assert lines[0].psnr["tv"] is not None
    assert lines[0].psnr["mean"] is None
    references = dict(evaluation.results.references)
    again = make_evaluation()
    again.run(settings)
    assert again.results.references == references


# --- order and budget ---


def test_the_most_important_comes_first():
    wanted = plan(TASKS, [64, 256, 128], [100, 20])
    stages = list(dict.fromkeys((s.size, s.timesteps) for s in wanted))
    assert stages == [(128, 20), (64, 20), (128, 100), (64, 100), (256, 20), (256, 100)]
    assert wanted[0][:2] == ("sr2", GOAL_SIZE)
    assert len(wanted) == len(TASKS) * 6
    assert [s.task for s in plan(["sr8", "sensing", "colorization"], [64], [20])] == [
        "colorization",
        "sr8",
        "sensing",
    ]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (("sr2", 64, 20, 1.0), 8),
        (("sr8", 128, 20, 1.0), 8),
        (("sr2", 128, 50, 1.0), 8),  # it has goals of its own
        (("inpaint-stripe", 128, 50, 1.0), 1),
        (("colorization", 256, 20, 1.0), 8),  # it has one at this size too
        (("sr2", 64, 50, 1.0), 1),
        (("sr2", 256, 20, 1.0), 1),
    ],
)
def test_where_samples_are_expensive_one_is_drawn(setting, expected):
    assert seeds_of(Setting(*setting), 8) == expected
    assert seeds_of(Setting(*setting), 8, all_seeds=True) == 8


def test_expensive_cells_have_one_seed(make_evaluation):
    evaluation = make_evaluation()
    (setting,) = plan(["sr8"], [16], [60])
    assert evaluation.run([setting])
    assert {len(e["single"]["psnr"]) for e in evaluation.results.samples.values()} == {1}
    assert summarise(evaluation.results)[0].seeds == 1


def test_the_spacing_is_that_of_the_chains(make_evaluation):
    evaluation = make_evaluation(spacing=1.5)
    setting = Setting("sr2", 16, 3, 0.5)
    evaluation.run([setting])
    truth = evaluation.photos[0].load(16)
    operator = make_task("sr2", (16, 16))
    y = operator.A(truth)
    chain = make_chain(evaluation.prior, operator, y, num_steps=3, eta=0.5, seed=0, spacing=1.5)
    stored = evaluation.results.samples[setting, "a.png"]["single"]["psnr"][0]
    assert stored == pytest.approx(float(psnr(chain.sequential()[-1], truth)), abs=1e-9)


def test_the_same_chains_under_the_gaussian_prior(make_evaluation, gaussian_prior, monkeypatch):
    """The entry that tells what the sampler loses is that of the prior with a known answer."""
    monkeypatch.setattr(run_module, "GOAL_SIZE", 16)
    monkeypatch.setattr(run_module, "load_gaussian", lambda schedule: gaussian_prior)
    evaluation = make_evaluation()
    setting = Setting("sr2", 16, 3, 0.5)
    assert evaluation.run([setting])
    for entry in evaluation.results.samples.values():
        assert entry["gaussian"] == pytest.approx(entry["mean"], abs=1e-12)


def test_budget(make_evaluation, settings, monkeypatch):
    """A clock of one minute a look: what is begun is finished, and every task has its turn."""
    minutes = count()
    monkeypatch.setattr(run_module.time, "monotonic", lambda: 60.0 * next(minutes))
    evaluation = make_evaluation()
    assert not evaluation.run(settings, minutes=3)
    done = [(setting.task, photo) for setting, photo in evaluation.results.samples]
    assert done == [("sr2", "a.png"), ("colorization", "a.png")]
    assert not make_evaluation("none").run(settings, minutes=0)
    monkeypatch.setattr(run_module.time, "monotonic", time.perf_counter)
    assert evaluation.run(settings)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        MemoryError(),
    ],
)
def test_out_of_memory(make_evaluation, settings, gaussian_prior, error):
    def greedy(x_t, t):
        raise error

    greedy.schedule = gaussian_prior.schedule
    with pytest.raises(ValueError, match="batch: out of memory with 4 images of 16 pixels"):
        make_evaluation(prior=greedy).run(settings)
    assert make_evaluation().results.references  # what was known by then is saved

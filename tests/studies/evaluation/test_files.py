"""evaluation.json with another field is refused by its name; entries count when they are whole."""

import json
import os

import pytest

from deqir_lite.studies.evaluation import run as run_module
from deqir_lite.studies.evaluation.photos import find_photos
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import Setting, plan

IMAGE = {"psnr": 20.0, "ssim": None}
REFERENCES = {"task": "sr2", "size": 16, "photo": "a.png"} | dict.fromkeys(
    ("pinv", "baseline", "tv", "gaussian"), IMAGE
)
SAMPLES = {
    "task": "sr2", "size": 16, "timesteps": 3, "eta": 1.0, "photo": "a.png",
    "single": {"psnr": [20.0], "ssim": [None]}, "mean": IMAGE, "seconds": 0.5,
}  # fmt: skip
CONTENT = {
    "format": 3,
    "settings": {
        "prior": "abc", "photos": {"a.png": "1"}, "seeds": 1, "all_seeds": False, "spacing": 3.0,
        "dtype": "float32",
    },
    "context": {},
    "references": [REFERENCES],
    "samples": [SAMPLES],
}  # fmt: skip
WRONG = [
    ({"format": 2}, "format: got 2; expected it to be 3"),
    ({"format": "3"}, "format: got '3'; expected it to be 3"),
    ({"settings": []}, r"settings: got \[\]; expected it to be a va"),
    ({"settings.prior": 3}, "settings.prior: got 3; expected it to be a valid string"),
    (
        {"settings.photos": ["a.png"]},
        r"settings.photos: got \['a.png'\]; expected it to be a valid",
    ),
    ({"settings.photos": {"a.png": 1}}, r"settings.photos.a.png: got 1; expected it to be a va"),
    ({"settings.seeds": "8"}, "settings.seeds: got '8'; expected it to be a valid integer"),
    ({"settings.seeds": 1.5}, "settings.seeds: got 1.5; expected it to be a valid integer"),
    ({"settings.all_seeds": 0}, "settings.all_seeds: got 0; expected it to be a valid boolean"),
    ({"settings.spacing": "cubic"}, "settings.spacing: got 'cubic'; expected it to be a valid num"),
    ({"settings.dtype": None}, "settings.dtype: got None; expected it to be a valid string"),
    ({"context": None}, "context: got None; expected it to be a valid dictionary"),
    ({"references": {}}, r"references: got \{\}; expected it to be a valid list"),
    ({"references.0": 1}, "references.0: got 1; expected it to be a va"),
    ({"references.0.size": "16"}, "references.0.size: got '16'; expected it to be a valid integer"),
    ({"references.0.photo": 16}, "references.0.photo: got 16; expected it to be a valid string"),
    ({"references.0.pinv": 20.0}, "references.0.pinv: got 20.0; expected it to be a va"),
    ({"references.0.tv": {"psnr": 1.0}}, "references.0.tv.ssim is missing"),
    ({"references.0.tv.psnr": None}, "references.0.tv.psnr: got None; expected it to be a valid n"),
    ({"references.0.tv.psnr": "high"}, "references.0.tv.psnr: got 'high'; expected it to be a val"),
    ({"samples.0.eta": "1"}, "samples.0.eta: got '1'; expected it to be a valid number"),
    ({"samples.0.timesteps": True}, "samples.0.timesteps: got True; expected it to be a valid int"),
    ({"samples.0.single": [20.0]}, r"samples.0.single: got \[20.0\]; expected it to be a va"),
    ({"samples.0.single.psnr": []}, r"samples.0.single.psnr: got \[\]"),
    ({"samples.0.single.psnr": 20.0}, "samples.0.single.psnr: got 20.0; expected it to be a va"),
    ({"samples.0.mean": None}, "samples.0.mean: got None; expected it to be a va"),
    ({"samples.0.seconds": "long"}, "samples.0.seconds: got 'long'; expected it to be a valid num"),
    ({"samples.0.gaussian": 3}, "samples.0.gaussian: got 3; expected it to be a va"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_field_is_named(tmp_path, change, message):
    content = json.loads(json.dumps(CONTENT))
    ((place, value),) = change.items()
    *path, last = (int(part) if part.isdigit() else part for part in place.split("."))
    target = content
    for part in path:
        target = target[part]
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(content))
    assert Results.load(tmp_path).settings["seeds"] == 1
    target[last] = value
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"^out: \S*evaluation\.json: {message}.*delete it or"):
        Results.load(tmp_path)


def test_an_entry_counts_when_its_companion_is_there(make_evaluation, settings, monkeypatch):
    """What Ctrl-C cuts off after the samples is computed by the next run; so is the half of one
    that an earlier version has left."""
    monkeypatch.setattr(run_module, "GOAL_SIZE", 16)
    evaluation = make_evaluation()
    whole, asked = run_module.Evaluation._restore, []

    def interrupted(self, setting, truths, prior):
        asked.append(prior)
        if prior is not self.prior:
            raise KeyboardInterrupt
        return whole(self, setting, truths, prior)

    monkeypatch.setattr(run_module.Evaluation, "_restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluation.run(settings)
    assert len(asked) == 2
    evaluation.results.save()
    assert make_evaluation().results.samples == {}
    monkeypatch.setattr(run_module.Evaluation, "_restore", whole)
    evaluation = make_evaluation()
    evaluation.run(settings)
    entries = make_evaluation().results.samples
    assert len(entries) == 2 * (2 + 3)  # chains, photos in colour and all
    assert all("gaussian" in entry for entry in entries.values())
    key = next(iter(evaluation.results.samples))
    lost = evaluation.results.samples[key].pop("gaussian")
    evaluation.results.save()
    again = make_evaluation()
    again.run(settings)
    assert again.results.samples[key]["gaussian"] == lost


def test_killed_anywhere_it_loses_and_doubles_nothing(make_evaluation, tmp_path, kill_at):
    wanted = plan(["sr2"], [16], [2], eta=[0.5])
    names = [Setting("sr2", 16, 2, 0.5), "a.png"]
    for turn in (2, 5, 9, 14, 20, 27, 35, 44):
        folder = f"results{turn}"
        kill_at(turn, lambda folder=folder: make_evaluation(folder).run(wanted))
        kept = make_evaluation(folder).results.samples
        evaluation = make_evaluation(folder)
        evaluation.run(wanted)
        found = make_evaluation(folder).results.samples
        assert tuple(names) in found
        assert len(found) == 3
        assert all(found[key] == entry for key, entry in kept.items())
        assert sorted(os.listdir(tmp_path / folder)) == [
            "evaluation-pictures.npz", "evaluation.json",
        ]  # fmt: skip


def test_photos_in_subfolders_and_names_that_are_not_utf_8(make_evaluation, photo_folder):
    name = b"\xff\xe9.png".decode(errors="surrogateescape")
    (photo_folder / "deep" / "er").mkdir(parents=True)
    (photo_folder / ".hidden").mkdir()
    (photo_folder / "out").mkdir()
    (photo_folder / "a.png").rename(photo_folder / "deep" / "er" / "a.png")
    (photo_folder / "b.jpg").rename(photo_folder / name)
    for place in (".hidden", "out"):
        (photo_folder / place / "c.png").write_bytes((photo_folder / "grey.png").read_bytes())
    found = find_photos(photo_folder, without=photo_folder / "out")
    assert [photo.name for photo in found] == ["deep/er/a.png", "grey.png", name]
    (photo_folder / ".hidden" / "c.png").unlink()
    (photo_folder / "out" / "c.png").unlink()
    evaluation = make_evaluation()
    evaluation.run(plan(["sr2"], [16], [2], eta=[0.5]))
    again = make_evaluation()
    assert again.results.samples == evaluation.results.samples
    assert {photo for _, photo in again.results.samples} == {"deep/er/a.png", "grey.png", name}

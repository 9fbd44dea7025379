"""The model card is rendered from the folder alone."""

import json

import pytest

from deqir_lite.training.card import write_card

HISTORY = [
    {"step": 5, "minutes": 1.0, "ema_decay": 0.9, "loss": 0.5, "psnr_t20": 20.0, "psnr_t100": 10.0},
    {"step": 9, "minutes": 2.4, "ema_decay": 0.99, "loss": 0.25, "psnr_t20": 30.04,
     "psnr_t100": 25.0},
]  # fmt: skip
LOG = {
    "recipe": {
        "channels": [16, 32], "patch": 2, "crop": 16, "batch": 4, "low_noise": 0.5,
        "weighting": "v", "ema_decays": [0.9, 0.99], "num_train_timesteps": 1000,
    },
    "photos": {"training": 12, "held_out": 3, "dead_leaves": 0.0, "note": "Waves, CC0."},
    "hardware": "Abacus, 3 threads", "parameters": 234_567, "crops": 3600, "history": HISTORY,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "training_log.json").write_text(json.dumps(LOG))
    return tmp_path


def write_log(folder, **changes):
    photos = LOG["photos"] | changes.pop("photos", {})
    (folder / "training_log.json").write_text(json.dumps(LOG | {"photos": photos} | changes))


def test_card_tells_where_the_prior_comes_from(folder):
    card = write_card(folder).read_text()
    for heading in ("# Photo prior", "## Training", "## Validation on the held-out photos",
                    "## What it is not good for"):  # fmt: skip
        assert heading in card
    for fact in (
        "0.2 million", "16, 32", "12 photos (3 more held out)", "16x16", "9 of batch 4 (3,600",
        "linear, 1000 steps", "Waves, CC0.", "Abacus, 3 threads", "2 minutes", "float16", "0.2500",
        "error of v", "50% of the timesteps", "decay 0.99: the better one in validation, out of",
        "| timestep | 20 | 100 |", "| PSNR | 30.0 | 25.0 |",
    ):  # fmt: skip
        assert fact in card, fact
    assert "{" not in card.replace("x_{0|t}", "")
    assert "dead" not in card
    assert "## Recipes compared" not in card
    assert write_card(folder).read_text() == card


def test_a_note_is_kept_in_the_log(folder):
    assert "Other photos." in write_card(folder, "Other photos.").read_text()
    assert "Other photos." in write_card(folder).read_text()
    log = json.loads((folder / "training_log.json").read_text())
    assert log == LOG | {"photos": LOG["photos"] | {"note": "Other photos."}}


@pytest.mark.parametrize(
    ("photos", "facts"),
    [
        ({"note": ""}, ["The photos' licence was not stated."]),
        ({"dead_leaves": 0.25}, ["12 photos (3 more held out), and an endless", "(25% of the"]),
        (
            {"dead_leaves": 1.0, "training": 0, "held_out": 0, "note": ""},
            ["| data | an endless stream of", "No photo was trained", "on held-out dead-leaves"],
        ),
        (
            {"dead_leaves": 1.0, "training": 0},
            ["| data | an endless stream of", "colours of photos (3 photos held out)",
             "on the held-out photos"],
        ),
    ],
)  # fmt: skip
def test_card_tells_what_was_trained_on(folder, photos, facts):
    write_log(folder, photos=photos)
    card = write_card(folder).read_text()
    for fact in facts:
        assert fact in card, fact


def test_other_weightings(folder):
    write_log(folder, recipe=LOG["recipe"] | {"weighting": "epsilon", "low_noise": 0.0})
    assert "error of the noise; 0% of the timesteps" in write_card(folder).read_text()


def test_evaluation_and_comparison_are_included(folder):
    (folder / "evaluation.md").write_text("\n## Evaluation\n\n![e](evaluation.png)\n")
    row = {"steps": 1234, "params": 7_800_000, "loss": 0.2, "psnr_t20": 31.257, "psnr_t100": 24.0}
    comparison = {"minutes": 5, "hardware": "Abacus", "recipes": {"base": row, "deep": row}}
    (folder / "comparison.json").write_text(json.dumps(comparison))
    card = write_card(folder).read_text()
    assert "\n\n## Evaluation\n\n![e](evaluation.png)\n\n## Recipes compared\n\n5 minutes" in card
    assert "| base | 7.8 M | 1,234 | 0.2000 | 31.26 | 24.00 |\n| deep |" in card
    assert "| recipe | parameters | steps | loss | t = 20 | t = 100 |" in card
    assert card.index("Recipes compared") < card.index("## What it is not good for")


def test_folders_without_a_usable_log(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^folder: .* holds no training_log\.json$"):
        write_card(tmp_path)
    for content, message in [
        ("{", "is not valid JSON"), ("[]", "holds no JSON object"),
        (json.dumps({"history": []}), "is no log of this trainer"),
        (json.dumps(LOG | {"history": []}), "is no log of this trainer"),
    ]:  # fmt: skip
        (tmp_path / "training_log.json").write_text(content)
        with pytest.raises(ValueError, match=rf"^folder: [^\n]*{message}"):
            write_card(tmp_path, "note")
        assert (tmp_path / "training_log.json").read_text() == content
    assert [p.name for p in tmp_path.iterdir()] == ["training_log.json"]

"""The model card is rendered from the folder alone."""

import json

import pytest

from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior
from deqir_lite.training.card import recipes_compared, write_card
from deqir_lite.training.checkpoint import training_so_far

HISTORY = [
    {"step": 5, "crops": 2000, "minutes": 1.0, "crops_per_second": 33.3, "ema_decay": 0.9,
     "loss": 0.5, "psnr_t20": 20.0, "psnr_t100": 10.0},
    {"step": 9, "crops": 3600, "minutes": 2.4, "crops_per_second": 25.2, "ema_decay": 0.99,
     "loss": 0.25, "psnr_t20": 30.04, "psnr_t100": 25.0},
]  # fmt: skip
LOG = {
    "recipe": {
        "channels": [16, 32], "blocks": 3, "patch": 2, "crop": 16, "final_crop": 16, "batch": 400,
        "muon_lr": 0.003, "adam_lr": 8e-4, "warmup": 200, "decay": 0.25, "low_noise": 0.5,
        "ema_decays": [0.9, 0.99], "num_train_timesteps": 1000, "seed": 7,
    },
    "began_with": None,
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


def card_of(folder):
    return " ".join(write_card(folder).read_text().split())


def test_card_tells_where_the_prior_comes_from(folder):
    card = write_card(folder).read_text()
    for fact in (
        "# Photo prior\n", "0.2 million", "channels 16, 32, 3 residual blocks per level.",
        "attention, on pixel-unshuffled images (factor 2):\n", "G(x_t, t) + e(t) f(x_t, t)",
        "| photos | 12 trained on, 3 held out |", "| crops | 16x16, at many scales,",
        "| schedule | linear, 1000 steps |", "Muon, rate 0.003, for", "AdamW, rate 0.0008, for",
        "| timesteps | 50% drawn as 1000 u^3, nearer to low noise, the others uniformly |",
        "| 200 steps of warm-up, then constant, falling to zero in the decay: the last 25% of the ",
        "| steps | 9, with 3,600 crops; batch 400 |", "| seed | 7 |",
        "| began with | random weights, f = 0 |", "\nWaves, CC0.\n", "| Abacus, 3 threads |",
        "| 2 minutes of training steps, 25 crops a second |", "float16",
        "decay 0.99: the best of 0.9, 0.99 in validation |", "is 0.2500.",
        "## Validation on the held-out photos\n",
        "| timestep | 20 | 100 |\n|:---|---:|---:|\n| PSNR | 30.0 | 25.0 |\n",
        "has seen few photos", "## What it is not good for",
        "\ndeqir-lite train --photos PHOTOS --batch 400 --seed 7 --out FOLDER --minutes 2\n",
    ):  # fmt: skip
        assert fact in card, fact
    assert "{" not in card.replace("x_{0|t}", "")
    assert all(line.endswith("|") for line in card.splitlines() if line.startswith("|"))
    for absent in ("dead leaves", "## Recipes compared", "## Restoration", "\n\n\n"):
        assert absent not in card


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"photos": {"note": ""}}, ["The photos' licence was not stated."]),
        (
            {"photos": {"dead_leaves": 0.25}},
            ["| dead leaves | 25% of the crops", "--photos PHOTOS --dead-leaves 0.25 --batch"],
        ),
        (
            {"photos": {"dead_leaves": 1.0, "training": 0, "held_out": 0, "note": ""}},
            ["No photo was trained on", "Validation on held-out dead-leaves",
             "has seen no photo, only dead leaves",
             " deqir-lite train --dead-leaves 1 --batch 400 "],
        ),
        (
            {"photos": {"dead_leaves": 1.0, "training": 0}},
            ["| photos | 0 trained on, 3 held out |", "Validation on the held-out photos",
             "train --photos PHOTOS --dead-leaves 1 --batch 400 "],
        ),
        ({"recipe": {"low_noise": 0.0}}, ["| timesteps | drawn uniformly |"]),
        ({"recipe": {"patch": 1}}, ["without normalisation or attention: 0.2 million"]),
        ({"recipe": {"batch": 7}}, ["| steps | 9, with 3,600 crops; batch 7 at the end |"]),
        (
            {"recipe": {"batch": 7, "final_crop": 32}},
            ["3,600 crops; batch 7 |", "16x16, in the decay 32x32 in smaller batches, at many",
             "was trained on 16x16 crops and, at the end, on 32x32 ones"],
        ),
        ({"recipe": {"ema_decays": [0.99]}}, ["decay 0.99 |"]),
        ({"began_with": {"digest": "0123abcd"}}, ["| the weights of the prior 0123abcd |"]),
        (
            {"began_with": {"digest": "0123abcd", "crops": 12345, "minutes": 6.0}},
            ["the prior 0123abcd, which had seen 12,345 crops |",
             "train --init PRIOR --photos PHOTOS --batch 400 --seed 7 --out FOLDER --minutes 2"],
        ),
    ],
)  # fmt: skip
def test_card_tells_what_was_done(folder, changes, facts):
    changes = {
        key: value if key == "began_with" else LOG[key] | value for key, value in changes.items()
    }
    write_log(folder, **changes)
    card = card_of(folder)
    for fact in facts:
        assert fact in card, fact


def test_training_so_far_counts_what_came_before(folder):
    assert training_so_far(folder) == {"crops": 3600, "minutes": 2.4}
    write_log(folder, began_with={"digest": "0123abcd", "crops": 400, "minutes": 0.6})
    assert training_so_far(folder) == {"crops": 4000, "minutes": 3.0}
    write_log(folder, began_with={"digest": "0123abcd"})
    assert training_so_far(folder) == {"crops": 3600, "minutes": 2.4}
    (folder / "training_log.json").write_text("{}")
    with pytest.raises(ValueError, match=r"^folder: \S*training_log\.json: recipe is missing"):
        training_so_far(folder)
    (folder / "training_log.json").unlink()
    assert training_so_far(folder) == {}


ROW = {
    "change": "none",
    "steps": 1234,
    "crops": 39_488,
    "params": 7_800_000,
    "warmup": 200,
    "loss": 0.2,
    "psnr_t20": 31.257,
    "psnr_t100": 24.0,
}


def write_comparison(folder, **changes):
    comparison = {"minutes": 5, "hardware": "Abacus", "recipes": {"base": ROW, "deep": ROW}}
    (folder / "comparison.json").write_text(json.dumps(comparison | changes))


def export(folder, prior):
    """Write ``prior`` into the folder; its digest as an evaluation of it stores it."""
    for name, content in prior.files().items():
        (folder / name).write_bytes(content)
    return prior_digest(load_prior(folder, dtype="bfloat16"), "as the evaluation does")


def write_evaluation(folder, digest):
    (folder / "evaluation.json").write_text(json.dumps({"settings": {"prior": digest}}))
    (folder / "evaluation.md").write_text("\n## Evaluation\n\n![e](evaluation.png)\n")


def test_evaluation_and_comparison_are_included(folder, make_prior):
    write_evaluation(folder, export(folder, make_prior()))
    write_comparison(folder)
    card = write_card(folder).read_text()
    assert "\n\n## Evaluation\n\n![e](evaluation.png)\n\n## Recipes compared\n\n5 minutes" in card
    assert "earlier weights" not in card
    assert "| base | none | 7.8 M | 1,234 | 39,488 | 0.2000 | 31.26 | 24.00 |\n" in card
    assert card.index("Recipes compared") < card.index("## What it is not good for")


def test_an_evaluation_of_other_weights_is_left_out(folder, make_prior):
    write_evaluation(folder, export(folder, make_prior()))
    assert "![e]" in write_card(folder).read_text()
    export(folder, make_prior(1))  # as a resumed run does
    card = write_card(folder).read_text()
    assert "![e]" not in card
    assert "\n\n## Restoration\n\nThe evaluation in this folder is of earlier weights" in card
    assert "`deqir-lite study evaluation --prior FOLDER` again" in card
    assert (folder / "evaluation.md").is_file()


@pytest.mark.parametrize("content", [None, "{", "[]", '{"settings": {}}', '{"settings": 3}'])
def test_an_evaluation_of_unknown_weights_is_left_out(folder, make_prior, content):
    write_evaluation(folder, export(folder, make_prior()))
    (folder / "evaluation.json").unlink()
    if content is not None:
        (folder / "evaluation.json").write_text(content)
    card = write_card(folder).read_text()
    assert "is of earlier weights, or does not say of which" in card
    assert "![e]" not in card


def test_an_evaluation_without_weights_beside_it_is_left_out(folder):
    write_evaluation(folder, "0123456789abcdef")
    assert "is of earlier weights" in write_card(folder).read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": {}}, "recipes: got none; expected at least one"),
        ({"recipes": {"base": {"loss": 0.5}}}, "recipes.base.steps is missing"),
        ({"recipes": [1]}, r"recipes: got \[1\]; expected it to be"),
        (
            {"recipes": {"base": ROW, "deep": {**ROW, "psnr_t5": 9.0}}},
            "recipes.deep: expected",
        ),
        ({"recipes": {"base": {**ROW, "psnr_t5": "high"}}}, "recipes.base.psnr_t5: got 'high'"),
        ({"minutes": "five"}, "minutes: got 'five'; expected it to be a valid number"),
    ],
)
def test_a_bad_comparison_names_its_own_file(folder, changes, message):
    write_comparison(folder, **changes)
    with pytest.raises(ValueError, match=rf"^folder: \S*comparison\.json: {message}"):
        write_card(folder)


def test_folders_without_a_usable_log(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^folder: .* holds no training_log\.json$"):
        write_card(tmp_path)
    for content, message in [
        ("{", "is not valid JSON"), ("[]", "holds no JSON object"),
        (json.dumps({"history": []}), "recipe is missing"),
        (json.dumps(LOG | {"history": []}), r"history: got \[\]"),
        (json.dumps(LOG | {"history": [3]}), "history.0: got 3"),
        (json.dumps(LOG | {"history": [HISTORY[0] | {"loss": "low"}]}), "history.0.loss: got"),
    ]:  # fmt: skip
        (tmp_path / "training_log.json").write_text(content)
        with pytest.raises(ValueError, match=rf"^folder: [^\n]*{message}"):
            write_card(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["training_log.json"]


def row(**changes):
    there = {"change": "so", "steps": 1220, "crops": 39_040, "params": 1_000_000, "warmup": 200,
             "loss": 0.3, "psnr_t20": 29.0, "psnr_t750": 14.0}  # fmt: skip
    return there | changes


def test_the_table_and_what_it_shows():
    rows = {"base": row(), "deep": row(loss=0.29), "wide": row(steps=199)}
    text = recipes_compared({"minutes": 2.5, "hardware": "Abacus", "recipes": rows})
    assert text.startswith("2.5 minutes of training steps each, at the pace measured on Abacus.")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0].endswith("| steps | crops | loss | t = 20 | t = 750 |")
    assert table[2] == "| base | so | 1.0 M | 1,220 | 39,040 | 0.3000 | 29.00 | 14.00 |"
    assert len(table) == 2 + len(rows)
    assert len({line.count("|") for line in table}) == 1
    assert "deep has the lowest loss." in text
    assert text.count("ended within its warm-up") == 1
    assert "wide ended within its warm-up of 200 steps" in text
    with pytest.raises(ValueError, match="recipes: got none"):
        recipes_compared({"recipes": {}})

"""The lesson plans fill their minutes and follow the chapters as they are."""

import pytest

from deqir_lite.bundled import book_folder
from deqir_lite.teach.notebooks import chapters
from deqir_lite.teach.units import MINUTES, load_units, plan_markdown

UNITS = load_units()
BOOK = {chapter.name: chapter for chapter in chapters()}

STAGE = '[[unit.stage]]\nsection = "S"\nminutes = {}\nshow = "s"\nask = "a"\n'
UNIT = '[[unit]]\ntitle = "T"\nchapter = "c"\ngoal = "g"\nbefore = "b"\nmisunderstandings = []\n'


def test_every_chapter_has_a_unit():
    taught = {unit.chapter for unit in UNITS}
    assert taught == {name for name, chapter in BOOK.items() if chapter.number in range(13)}
    order = [BOOK[unit.chapter].number for unit in UNITS[:-1]]
    assert order == sorted(order)
    assert [unit.number for unit in UNITS] == list(range(1, len(UNITS) + 1))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.title)
def test_a_unit_follows_its_chapter(unit):
    sections = BOOK[unit.chapter].sections
    places = [sections.index(stage.section) for stage in unit.stages]
    assert places == sorted(set(places)), "sections in the order of the chapter, once each"
    assert sum(stage.minutes for stage in unit.stages) == MINUTES
    assert unit.misunderstandings
    for stage in unit.stages:
        assert stage.minutes > 0
        assert "|" not in stage.show + stage.ask + stage.section, "it would break the table"
        assert stage.ask.rstrip().endswith(("?", "."))
    assert unit.goal
    assert unit.before


def test_the_teachers_page_has_the_plans():
    page = (book_folder() / "teaching.md").read_text(encoding="utf-8")
    assert plan_markdown(UNITS) in page, "deqir-lite teach plan prints what belongs there"


def test_a_plan_in_markdown():
    text = UNITS[0].to_markdown()
    assert text.startswith(f"### Unit 1: {UNITS[0].title}\n")
    for stage in UNITS[0].stages:
        assert f"| {stage.minutes} | {stage.section} | {stage.show} | {stage.ask} |" in text
    for mistake, correction in UNITS[0].misunderstandings:
        assert f"- *{mistake}*\n\n  {correction}" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (UNIT + STAGE.format(49), "unit 1 takes 49 minutes; expected 50"),
        (UNIT, "unit 1: 'stage'"),
        (
            UNIT.replace("ings = []", 'ings = ["It is so."]') + STAGE.format(50),
            "unit 1: expected .mistake, correction.",
        ),
        (UNIT.replace("goal", "aim") + STAGE.format(50), "unit 1: .*'aim'"),
        ("", "holds no units"),
        ("unit = [", "holds no units"),
    ],
)
def test_bad_plans(tmp_path, content, message):
    folder = tmp_path / "_teach"
    folder.mkdir()
    (folder / "units.toml").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_units(tmp_path)


def test_no_plans(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"units\.toml"):
        load_units(tmp_path)

"""The built book offers each chapter to students, without its solutions."""

import nbformat

from deqir_lite.teach.notebooks import chapters

from .conftest import parse


def test_every_chapter_is_offered_without_solutions(html):
    place = html / "book" / "students.html"
    links = [tag["href"] for tag in parse(place).select("article a[download]")]
    assert [link.rpartition("/")[2] for link in links] == [c.path.name for c in chapters()]
    for link in links:
        offered = nbformat.read(place.parent / link, as_version=4)
        tags = [tag for cell in offered.cells for tag in cell.metadata.get("tags", [])]
        assert "self-check" in tags
        assert "solution" not in tags

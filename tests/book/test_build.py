"""The build keeps one certificate for each chapter, and refuses to go on without."""

import importlib.util
import re
import sys

import nbformat
import pytest

from deqir_lite.certificate import FOLDER_VARIABLE, Certificate

from .conftest import EXECUTED, ROOT, notebooks, parse
from .conftest import executed as executed_notebook

sys.path.insert(0, str(ROOT / "book" / "_scripts"))
import executed


@pytest.fixture
def build(tmp_path, monkeypatch):
    """The build script at work on an empty project, and a function that writes its notebooks."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "book/_scripts/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "book").mkdir()
    (tmp_path / "constraints.txt").write_text("")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(module, "EXECUTED", tmp_path / ".nbexec")
    monkeypatch.setattr(module, "CERTIFICATES", tmp_path / ".nbexec" / "certificates")
    monkeypatch.setattr(module, "STAMPS", tmp_path / ".nbexec" / "stamps.json")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def write(name, source):
        metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
        cell = nbformat.v4.new_code_cell(source)
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
        nbformat.write(notebook, tmp_path / "book" / f"{name}.ipynb")

    module.write = write
    return module


def leave(build, name, title, passed=True):
    """A notebook as it is after execution, and its certificate; returns the certificate's file."""
    made = Certificate(title)
    made.check("claim", "", passed)
    output = nbformat.v4.new_output("display_data", {"text/html": made._repr_html_()})
    cell = nbformat.v4.new_code_cell("conclude()", outputs=[output])
    build.CERTIFICATES.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), build.EXECUTED / name)
    return made.save(build.CERTIFICATES / f"{name}.json")


def concluding(title):
    return (
        "from deqir_lite.certificate import Certificate\n"
        f"c = Certificate({title!r})\nc.check('claim', '', True)\nc.conclude()"
    )


def certified(title, folder):
    """As concluding, of a certificate that lies there: no kernel has to load the package."""
    made = Certificate(title)
    made.check("claim", "", True)
    path = made.save(folder / f"{title}.json")
    return (
        "import os, shutil\nfrom IPython.display import HTML\n"
        f"shutil.copy({str(path)!r}, os.environ[{FOLDER_VARIABLE!r}])\n"
        f"HTML({made._repr_html_()!r})"
    )


@pytest.mark.parametrize(
    ("name", "number"),
    [("03-ddim-restoration.ipynb", 3), ("12-noise", 12), ("00-index.ipynb", None), ("api", None)],
)
def test_chapter_number(name, number):
    assert executed.chapter_number(name) == number


def test_certificates_by_notebook(build):
    twelve = leave(build, "12-b.ipynb", "12. B & <C>")
    three = leave(build, "03-a.ipynb", "3. A. With a dot")
    notes = leave(build, "notes.ipynb", "Reading notes")
    leave(build, "99-deleted.ipynb", "99. Deleted")
    names = ["notes.ipynb", "12-b.ipynb", "03-a.ipynb", "13-never-run.ipynb"]
    found = executed.certificates(names, build.EXECUTED)
    assert list(found.items()) == [
        ("03-a.ipynb", three),
        ("12-b.ipynb", twelve),
        ("notes.ipynb", notes),
    ]
    three.write_text("{")  # cut off
    twelve.unlink()
    assert executed.certificates(names, build.EXECUTED) == {"notes.ipynb": notes}


def test_one_title_for_two_chapters(build):
    leave(build, "03-a.ipynb", "3. A")
    leave(build, "04-b.ipynb", "3. A")
    with pytest.raises(ValueError, match=r"04-b\.ipynb: another notebook has"):
        executed.certificates(["03-a.ipynb", "04-b.ipynb"], build.EXECUTED)


def test_a_failing_claim_is_no_certificate(build):
    leave(build, "03-a.ipynb", "3. A", passed=False)
    leave(build, "04-b.ipynb", "4. B")
    names = ["00-index.ipynb", "03-a.ipynb", "04-b.ipynb", "05-c.ipynb"]
    assert build.uncertified(names) == {"03-a.ipynb", "05-c.ipynb"}


def test_certificates_of_other_chapters_are_dropped(build):
    kept = leave(build, "03-a.ipynb", "3. A")
    leave(build, "04-b.ipynb", "4. B")
    (build.CERTIFICATES / "broken.json").write_text("{")
    build.drop_certificates(["00-index.ipynb", "03-a.ipynb"])
    assert list(build.CERTIFICATES.iterdir()) == [kept]


def test_chapters_are_executed_once_and_leave_their_certificates(build, capfd):
    build.write("01-one", concluding("1. One"))
    build.write("02-two", "pass")
    assert build.execute() == 1
    assert "02-two.ipynb passed, but left no certificate" in capfd.readouterr().err
    assert build.html() == 1
    assert "not executed as they are now: 02-two.ipynb" in capfd.readouterr().err
    (one,) = build.CERTIFICATES.iterdir()
    before = one.stat().st_mtime_ns

    build.write("02-two", concluding("2. Two"))
    assert build.execute() == 0
    assert "unchanged since they last passed: 01-one.ipynb" in capfd.readouterr().out
    assert one.stat().st_mtime_ns == before
    names = ["01-one.ipynb", "02-two.ipynb"]
    assert list(executed.certificates(names, build.EXECUTED)) == names
    assert executed.seconds(build.EXECUTED / "02-two.ipynb") > 0

    (build.ROOT / "book" / "02-two.ipynb").unlink()
    assert build.execute() == 0
    assert list(build.CERTIFICATES.iterdir()) == [one]


def test_chapters_side_by_side_have_one_thread_each(build, monkeypatch):
    names = [f"0{k}-{name}" for k, name in enumerate(["one", "two", "three"], 1)]
    for k, name in enumerate(names, 1):
        look = "import os; from pathlib import Path\n"
        look += f"Path({str(build.ROOT)!r}, {name!r}).write_text("
        look += "f\"{os.environ['OMP_NUM_THREADS']} {os.environ.get('PYTEST_XDIST_WORKER')}\")\n"
        build.write(name, look + certified(f"{k}. {name}", build.ROOT))
    monkeypatch.setattr(build, "ALONE", (f"{names[0]}.ipynb",))
    monkeypatch.setattr(build, "PROCESSES", 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert build.execute() == 0
    found = [(build.ROOT / name).read_text().split() for name in names]
    assert found[0] == ["7", "None"]
    assert [threads for threads, _ in found[1:]] == ["1", "1"]
    assert {worker for _, worker in found[1:]} <= {"gw0", "gw1"}
    assert build.fresh(build.chapters()) == {f"{name}.ipynb" for name in names}


TIMED = re.compile(r"\bperf_counter\b|\.seconds\b|\btimeit\b|%time")
SECONDS = re.compile(r"\b\d[\d.]* ?(s|ms|seconds?|minutes?)\b")


def test_the_order_of_the_chapters_names_chapters_of_the_book(build):
    there = {path.name for path in (ROOT / "book").glob("*.ipynb")}
    assert {*build.ALONE, *build.LONGEST_FIRST} <= there
    assert not {*build.ALONE} & {*build.LONGEST_FIRST}


@pytest.mark.skipif(not EXECUTED.exists(), reason="no chapter was executed; run `make book`")
@pytest.mark.parametrize("name", notebooks())
def test_chapters_side_by_side_say_with_how_many_threads_they_measure(build, name):
    if f"{name}.ipynb".removeprefix("book/") in build.ALONE:
        pytest.skip("has the machine to itself")
    cells = executed_notebook(name).cells
    texts = [
        output.get("text", "") + output.get("data", {}).get("text/plain", "")
        for cell in cells
        for output in cell.get("outputs", [])
    ]
    if any(TIMED.search(cell.source) for cell in cells if cell.cell_type == "code"):
        assert any("threads: 1" in text or "1 thread(s)" in text for text in texts)
    else:
        assert not [text for text in texts if SECONDS.search(text)]


def test_times_of_a_notebook_that_was_not_executed(build):
    build.write("01-one", "pass")
    with pytest.raises(ValueError, match="no cell has its times"):
        executed.seconds(build.ROOT / "book" / "01-one.ipynb")


def test_the_page_of_certificates_is_complete(html):
    page = parse(html / "book" / "certificates.html")
    tables = page.select("article table.certificate")
    names = [f"{name.split('/')[-1]}.ipynb" for name in notebooks()]
    paths = executed.certificates(names, EXECUTED)
    assert set(paths) == set(names) - {executed.FRONT_PAGE}
    assert len(tables) == len(paths) > 0
    for table, path in zip(tables, paths.values(), strict=True):
        stored = Certificate.load(path)
        assert stored.title in table.caption.text
        assert len(table.select("tbody tr")) == len(stored.claims) > 0
    assert not page.select("tr.certificate-fail")
    text = page.find("article").get_text(" ", strip=True)
    for what in ("torch", "processor", "threads"):
        assert what in text
    times = page.select("table.status")[0].select("tbody tr")
    assert len(times) == len(names) + 1
    seconds = [float(row.find_all("td")[1].text) for row in times]
    assert sum(seconds[:-1]) == pytest.approx(seconds[-1], abs=0.06 * len(seconds))

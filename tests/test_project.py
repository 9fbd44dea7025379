"""The files that describe the project agree with each other, and the wheel is complete."""

import email
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import deqir_lite
from deqir_lite import load_bundled_photo, save_image
from deqir_lite._files import replacing
from deqir_lite.priors.files import PICTURES_FILE, STATE_FILE, WEIGHTS_FILE

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in read("constraints.txt").splitlines()]
    pairs = [line.split("==") for line in lines if line]
    return {canonicalize_name(name): version for name, version in pairs}


def declared() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = [Requirement(text) for group in groups for text in group]
    return [r for r in found if canonicalize_name(r.name) != PROJECT["name"]]  # its other extras


def needed() -> dict[str, str]:
    """Installed distributions that the project needs, directly or not -> version."""
    found: dict[str, str] = {}
    queue = [(r.name, frozenset(r.extras)) for r in declared()]
    seen = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[canonicalize_name(name)] = distribution.version
        for text in distribution.requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in extras | {""}):
                queue.append((requirement.name, frozenset(requirement.extras)))
    return found


def test_every_dependency_is_pinned_within_its_bounds():
    pinned = pins()
    for requirement in declared():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is missing from constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{requirement} against {pinned[name]}"


def test_installed_versions_are_the_pinned_ones():
    pinned = pins()
    device_builds = re.compile(r"nvidia-|cuda-|triton")  # come with a CUDA build of torch
    installed = {n: v for n, v in needed().items() if not device_builds.match(n)}
    unpinned = sorted(set(installed) - set(pinned))
    assert not unpinned, f"missing from constraints.txt: {unpinned}"
    differing = {
        name: (version, pinned[name])
        for name, version in installed.items()
        if version.split("+")[0] != pinned[name]
    }
    assert not differing, f"installed and pinned differ: {differing}"


def test_every_pinned_version_runs_on_debians_python():
    refused = {}
    for name in needed():
        python = metadata.metadata(name).get("Requires-Python")
        if python and not SpecifierSet(python).contains("3.11.2"):
            refused[name] = python
    assert not refused


def test_every_install_uses_the_same_constraints_and_extras():
    extras = re.search(r'-c constraints\.txt -e "\.\[([\w,]+)\]"', read("Makefile"))
    assert extras, "the Makefile does not install with constraints.txt"
    assert set(extras[1].split(",")) == set(PROJECT["optional-dependencies"])
    conda = yaml.safe_load(read("environment.yml"))["dependencies"]
    lines = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert lines == ["-c constraints.txt", f"-e .[{extras[1]}]"]
    assert "pip install" not in read(".ci/run"), ".ci/run installs through the Makefile only"


def test_ci_runs_the_test_command_of_the_readme():
    assert re.findall(r"^make .*", read(".ci/run"), flags=re.MULTILINE) == [
        "make style",
        "make test",
    ]
    assert "$(BIN)/mypy" in read("Makefile").partition("\ntest:")[2].partition("\n\n")[0]
    blocks = re.findall(r"```sh\n(.*?)```", read("README.md"), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert "make test" in lines
    assert "make book" in lines


def test_the_workflow_runs_the_commands_of_the_readme_and_the_tools_tests_elsewhere():
    workflow = yaml.safe_load(read(".github/workflows/tests.yml"))
    book, tool = workflow["jobs"]["book"], workflow["jobs"]["tool"]
    commands = [step.get("run") for step in book["steps"]]
    assert {"make book", "make test"} <= set(commands)
    assert {os.split("-")[0] for os in tool["strategy"]["matrix"]["os"]} == {"macos", "windows"}
    install, test = (step["run"] for step in tool["steps"] if "run" in step)
    extras = re.search(r'-c constraints\.txt -e "\.\[([\w,]+)\]"', install)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    for path in re.findall(r"tests/\S+", test):
        assert (ROOT / path).exists()
    pythons = {
        step["with"]["python-version"]
        for job in (book, tool)
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    }
    assert pythons == {PROJECT["requires-python"].removeprefix(">=")}


def test_python_version_is_the_same_everywhere():
    floor = PROJECT["requires-python"].removeprefix(">=")
    conda = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert f"python={floor}" in conda
    assert f"Python {floor}" in read("README.md")
    assert f"({floor.replace('.', ', ')})" in read("Makefile")


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    assert "version" not in yaml.safe_load(read("CITATION.cff"))
    assert deqir_lite.__version__ in read("CHANGELOG.md")


def test_the_paper_is_what_to_cite():
    citation = yaml.safe_load(read("CITATION.cff"))
    paper = citation["preferred-citation"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    for said in (" and ".join(names), paper["title"], f"{paper['start']}--{paper['end']}"):
        assert said in read("README.md")
    assert paper["url"] == PROJECT["urls"]["Paper"]
    assert paper["url"] in read("README.md")


def test_no_address_is_named_that_the_project_has_not():
    address = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    repository = PROJECT["urls"].get("Repository", "")
    citation = yaml.safe_load(read("CITATION.cff")).get("repository-code", "")
    assert address == repository == citation


def test_licences_of_all_that_is_shipped():
    named = set(PROJECT["license"].split(" AND "))
    assert named == {
        *("MIT", "Apache-2.0", "CC0-1.0", "MPL-2.0", "OFL-1.1"),
        "LicenseRef-deqir-lite-weights",
    }
    assert yaml.safe_load(read("CITATION.cff"))["license"] == "MIT"
    assert read("LICENSE").startswith("MIT License")
    texts = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/**/*LICENSE*")}
    texts = {text for text in texts if text.split("/")[0] in ("book", "data", "tests")}
    found = {p.relative_to(ROOT).as_posix() for g in PROJECT["license-files"] for p in ROOT.glob(g)}
    assert found == texts | {"LICENSE"}


def test_targets_named_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)", read(name), flags=re.MULTILINE))
        named = {first or second for first, second in named}
        assert named <= targets, f"{name}: {named - targets}"


def test_api_pages_list_every_public_module():
    modules = set()
    for path in (ROOT / "deqir_lite").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        if path.name == "__init__.py" or parts[1] == "cli":  # its page is --help
            continue
        if parts[1:3] == ("teach", "exercises"):  # it would give the answers away
            continue
        modules.add(".".join(parts))
    pages = "".join(path.read_text() for path in sorted((ROOT / "book" / "api").glob("*.md")))
    listed = re.findall(r"^\.\. automodule:: (\S+)", pages, flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == modules


def examples() -> list[str]:
    """The blocks of Python on the first API page."""
    return re.findall(r"```python\n(.*?)```", read("book/api.md"), flags=re.DOTALL)


def test_the_first_api_page_introduces_every_public_name():
    page, code = read("book/api.md"), "\n".join(examples())
    for name in deqir_lite.__all__:
        where = re.findall(rf"{{py:\w+}}`{name} <([\w.]+)>`", page)
        assert len(where) == 1, f"{name} is introduced {len(where)} times"
        module, _, last = where[0].rpartition(".")
        assert last == name
        assert getattr(importlib.import_module(module), name) is getattr(deqir_lite, name)
        assert re.search(rf"\b{name}\b", code), f"{name} has no example"


def test_the_examples_of_the_first_api_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(examples()), "api.md", "exec"), {"__name__": "examples"})


def test_no_public_name_hides_a_module():
    modules = {path.stem for path in (ROOT / "deqir_lite").iterdir()}
    assert not modules & set(deqir_lite.__all__)


def build_wheel(root: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(wheel_file):
    with zipfile.ZipFile(wheel_file) as archive:
        yield archive


def is_unfinished(name: str) -> bool:
    """Whether a file only serves to go on with a training or an evaluation."""
    return name in (STATE_FILE, PICTURES_FILE) or name.endswith(".tmp")


def test_wheel_carries_the_package_and_its_data(wheel):
    names = set(wheel.namelist())
    for kind in ("*.py", "*.md.j2", "py.typed"):
        files = {str(p.relative_to(ROOT)) for p in (ROOT / "deqir_lite").rglob(kind)}
        assert files
        assert files <= names
    assert "deqir_lite/_data/priors/photo64/config.json" in names
    for folder in ("benchmarks", "masks", "photos", "priors"):
        files = [p for p in (ROOT / "data" / folder).rglob("*") if p.is_file()]
        files = [p for p in files if not is_unfinished(p.name)]
        assert files, f"data/{folder} is empty"
        for path in files:
            assert f"deqir_lite/_data/{path.relative_to(ROOT / 'data')}" in names
    book = [*(ROOT / "book").glob("*.ipynb"), ROOT / "book" / "references.bib"]
    for folder in ("_teach", "_assets/mathjax", "_assets/reveal"):
        book += [path for path in (ROOT / "book" / folder).rglob("*") if path.is_file()]
    for path in book:
        name = f"deqir_lite/_data/book/{path.relative_to(ROOT / 'book')}"
        assert wheel.read(name) == path.read_bytes()


def test_wheel_carries_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"deqir_lite", f"deqir_lite-{deqir_lite.__version__}.dist-info"}


def test_the_page_of_a_package_index_has_no_links_that_lead_nowhere(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("dist-info/METADATA")]
    about = email.message_from_bytes(wheel.read(name))
    page = about.get_payload()
    assert about["Description-Content-Type"] == "text/markdown"
    assert about["Version"] == deqir_lite.__version__
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert links
    assert all(link.startswith("https://") for link in links)
    assert "<img" not in page
    assert "Two rows" not in page, "the picture lies beside the README only"
    for heading in re.findall(r"^## .*", read("README.md"), flags=re.MULTILINE):
        assert heading in page


def test_the_priors_of_the_wheel_are_small(wheel):
    priors = [f for f in wheel.infolist() if f.filename.startswith("deqir_lite/_data/priors/")]
    weights = [f.file_size for f in priors if Path(f.filename).name == WEIGHTS_FILE]
    assert weights
    assert max(weights) <= 10e6
    assert sum(f.file_size for f in priors) < 14e6


@pytest.fixture
def small_tree(tmp_path):
    """A copy of the project with little in it but a prior, and the prior's unfinished files."""
    root = tmp_path / "tree"
    prior = root / "data" / "priors" / "small"
    (root / "deqir_lite").mkdir(parents=True)
    prior.mkdir(parents=True)
    for name in (".gitignore", "pyproject.toml", "README.md", "LICENSE", "deqir_lite/__init__.py"):
        shutil.copy(ROOT / name, root / name)
    (prior / "config.json").write_text("{}")
    for name in (STATE_FILE, PICTURES_FILE):
        (prior / name).write_text("unfinished")
    with replacing(prior / "config.json"):  # a temporary file lies beside it until the end
        assert sum(is_unfinished(path.name) for path in prior.iterdir()) == 3
        yield root


def test_wheel_leaves_unfinished_files_out(small_tree):
    (small_tree / ".gitignore").unlink()  # the build would heed it: it must do without
    with zipfile.ZipFile(build_wheel(small_tree, small_tree.parent)) as archive:
        carried = [name for name in archive.namelist() if "/_data/" in name]
    assert carried == ["deqir_lite/_data/priors/small/config.json"]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_git_leaves_unfinished_files_out(small_tree):
    git = ["git", "-c", "core.excludesFile="]  # only the project's own rules
    subprocess.run([*git, "init", "--quiet"], cwd=small_tree, check=True)
    listing = [*git, "ls-files", "--others", "--exclude-standard", "data"]
    done = subprocess.run(listing, cwd=small_tree, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["data/priors/small/config.json"]


def test_the_course_is_made_without_a_checkout(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    code += "from typer.testing import CliRunner\nfrom deqir_lite.cli import app\n"
    for command in ("student", "slides"):
        arguments = ["teach", command, str(tmp_path / command), "-c", "3"]
        code += f"assert CliRunner().invoke(app, {arguments}).exit_code == 0\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    assert json.loads((tmp_path / "student" / "03-ddim-restoration.ipynb").read_text())["cells"]
    assert (tmp_path / "slides" / "assets" / "reveal" / "dist" / "reveal.js").is_file()


NO_NETWORK = """
import atexit, socket, sys

def refuse(*arguments, **options):
    raise OSError("no network")

def report():
    modules = [m for name, m in sys.modules.items() if name.partition(".")[0] == "deqir_lite"]
    with open(__file__ + ".log", "w") as log:
        print(*(m.__file__ for m in modules), refused(), sep="\\n", file=log)

def refused():
    try:
        socket.create_connection(("127.0.0.1", 9))
    except OSError as error:
        return error

socket.socket.connect = socket.getaddrinfo = refuse
atexit.register(report)
"""
"""Refuses the network in every process of an environment, and notes which modules one has used."""


def install(wheel_file: Path, environment: Path) -> Path:
    """Install the wheel in a new environment, as pip does it; return its site-packages."""
    venv = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(venv, check=True, capture_output=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", str(wheel_file)], check=True, capture_output=True
    )
    (site,) = environment.glob("lib/python*/site-packages")
    return site


def test_the_installed_wheel_restores_a_photo_in_an_empty_folder(wheel_file, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    site = install(wheel_file, environment)
    # The dependencies are those of the tests. Only their folders are added, which leaves the
    # .pth file that leads to the checkout unread.
    folders = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    (site / "no_network.py").write_text(NO_NETWORK)
    (site / "tests.pth").write_text("\n".join([*folders, "import no_network\n"]))
    empty.mkdir()
    save_image(empty / "mine.png", load_bundled_photo("cat", size=32))
    command = [str(environment / "bin" / "deqir-lite"), "restore", "mine.png", "--upscale", "2"]
    command += ["--timesteps", "3", "--sampler", "sequential"]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in empty.iterdir()} == {
        *("mine.png", "mine-restored.png", "restored.json"),
    }
    *used, refused = (site / "no_network.py.log").read_text().splitlines()
    assert refused == "no network"
    assert used
    assert all(Path(module).is_relative_to(site) for module in used)

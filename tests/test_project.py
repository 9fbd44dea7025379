"""The files that describe the project agree with each other, and the wheel is complete."""

import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import deqir_lite

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
    return [Requirement(text) for group in groups for text in group]


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


def test_every_install_uses_the_same_constraints_and_extras():
    extras = re.search(r'-c constraints\.txt -e "\.\[([\w,]+)\]"', read("Makefile"))
    assert extras, "the Makefile does not install with constraints.txt"
    assert set(extras[1].split(",")) == set(PROJECT["optional-dependencies"])
    conda = yaml.safe_load(read("environment.yml"))["dependencies"]
    lines = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert lines == ["-c constraints.txt", f"-e .[{extras[1]}]"]
    assert "pip install" not in read(".ci/run"), ".ci/run installs through the Makefile only"


def test_ci_runs_the_test_command_of_the_readme():
    commands = [line.strip() for line in read(".ci/run").splitlines()]
    assert "make test" in commands
    assert "make lint" in commands
    blocks = re.findall(r"```sh\n(.*?)```", read("README.md"), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert "make test" in lines
    assert "make book" in lines


def test_python_version_is_the_same_everywhere():
    floor = PROJECT["requires-python"].removeprefix(">=")
    conda = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert f"python={floor}" in conda
    assert f"Python {floor}" in read("README.md")
    assert f"({floor.replace('.', ', ')})" in read("Makefile")


def test_versions_agree():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert str(citation["version"]) == PROJECT["version"]
    assert deqir_lite.__version__ == PROJECT["version"]
    assert PROJECT["version"] in read("CHANGELOG.md")
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert read("LICENSE").startswith("MIT License")


def test_targets_named_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)", read(name), flags=re.MULTILINE))
        named = {first or second for first, second in named}
        assert named <= targets, f"{name}: {named - targets}"


def test_api_page_lists_every_public_module():
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
    listed = re.findall(r"^\.\. automodule:: (\S+)", read("book/api.md"), flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == modules


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_wheel_carries_the_package_and_its_data(wheel):
    names = set(wheel.namelist())
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "deqir_lite").rglob("*.py")}
    assert modules <= names
    assert "deqir_lite/_data/priors/photo64/config.json" in names
    for folder in ("benchmarks", "masks", "photos", "priors"):
        files = [p for p in (ROOT / "data" / folder).rglob("*") if p.is_file()]
        assert files, f"data/{folder} is empty"
        for path in files:
            assert f"deqir_lite/_data/{path.relative_to(ROOT / 'data')}" in names


def test_wheel_carries_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"deqir_lite", f"deqir_lite-{PROJECT['version']}.dist-info"}


def test_the_wheel_restores_a_photo_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    wheel.extractall(site)
    empty.mkdir()
    shutil.copy(ROOT / "data" / "photos" / "cat.png", empty / "mine.png")
    script = textwrap.dedent(f"""
        import sys, socket
        sys.path.insert(0, {str(site)!r})
        def refuse(*arguments):
            raise OSError("no network")
        socket.socket.connect = socket.getaddrinfo = refuse
        import deqir_lite
        assert deqir_lite.__file__.startswith({str(site)!r})
        from deqir_lite.cli import app
        app(["restore", "mine.png", "-o", "out.png", "--size", "32", "--timesteps", "3"])
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in empty.iterdir()} == {
        "mine.png",
        "out.png",
        "out-side-by-side.png",
    }

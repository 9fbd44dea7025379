"""Execute every chapter once, then build the book from the outputs.

    python book/_scripts/build.py execute   run the chapters as tests; results in .nbexec/
    python book/_scripts/build.py html      strict build from these results into _build/html/

A chapter is executed again when its notebook, the package, the data or the pinned versions
have changed since it last passed. The build never executes anything by itself. The certificate
of each chapter is kept beside its outputs, in .nbexec/certificates/.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from executed import FRONT_PAGE, certificates, seconds

from deqir_lite._json import read_object, write_json
from deqir_lite.certificate import FOLDER_VARIABLE, Certificate

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = ROOT / ".nbexec"
BUILD = ROOT / "_build"
STAMPS = EXECUTED / "stamps.json"
CERTIFICATES = EXECUTED / "certificates"
TIMEOUT = os.environ.get("NB_TIMEOUT", "300")  # seconds for one cell
PROCESSES = min(os.cpu_count() or 1, 4)
ALLOWED = 60
"""Seconds that a chapter may take; said, and no failure, since machines differ."""
ALONE = (
    "00-index.ipynb",
    "14-what-parallel-sampling-costs.ipynb",
    "your-own-photo.ipynb",
)
"""Chapters about seconds, which have the machine to themselves, one after another. The others are
executed as many at once as there are cores, each with one thread, and where one of them looks at a
clock it says so."""
LONGEST_FIRST = (
    "07-better-proposition.ipynb",
    "06-anderson-acceleration.ipynb",
    "09-initialisation-optimisation.ipynb",
    "08-implicit-gradients.ipynb",
    "03-ddim-restoration.ipynb",
    "11-every-method.ipynb",
    "04-proposition-1.ipynb",
    "10-what-the-measurement-knows.ipynb",
    "12-ablations.ipynb",
    "05-fixed-point-system.ipynb",
)
"""They begin; the shorter ones fill what is left at the end."""


def digest(paths: Iterable[Path]) -> str:
    """Hash of the names and the contents of files."""
    total = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def chapters() -> dict[str, str]:
    """Name of each chapter's notebook -> hash of all that its outputs depend on."""
    shared = [ROOT / "constraints.txt", *(ROOT / "deqir_lite").rglob("*.py")]
    shared += [path for path in (ROOT / "data").rglob("*") if path.is_file()]
    common = digest(shared)
    notebooks = sorted((ROOT / "book").glob("*.ipynb"))
    return {path.name: common + digest([path]) for path in notebooks}


def uncertified(names: Collection[str]) -> set[str]:
    """The chapters that have left no certificate, or one in which a claim fails."""
    found = certificates(names, EXECUTED)
    passed = {name for name, path in found.items() if Certificate.load(path).passed}
    return set(names) - passed - {FRONT_PAGE}


def drop_certificates(keep: Collection[str]) -> None:
    """Remove the certificates of all chapters but these."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    kept = set(certificates(keep, EXECUTED).values())
    for path in set(CERTIFICATES.glob("*.json")) - kept:
        path.unlink()


def fresh(wanted: dict[str, str]) -> set[str]:
    """The chapters that have passed with all of their inputs as they are now."""
    stamps = read_object(STAMPS, name="stamps") if STAMPS.exists() else {}
    passed = {n for n, d in wanted.items() if stamps.get(n) == d and (EXECUTED / n).exists()}
    return passed - uncertified(passed)


def run(names: Sequence[str], processes: int) -> tuple[int, set[str]]:
    """Exit code of the run of some chapters as tests, and the chapters that passed."""
    report = EXECUTED / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "--durations=0"]
    command += [f"--nbmake-timeout={TIMEOUT}", f"--junit-xml={report}"]
    command += [f"{EXECUTED.name}/{name}" for name in names]
    environment = os.environ | {FOLDER_VARIABLE: str(CERTIFICATES)}
    if processes > 1:
        command += ["-n", str(processes), "--maxschedchunk=1"]
        environment["OMP_NUM_THREADS"] = "1"
    code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    cases: Iterable[ET.Element] = ET.parse(report).iter("testcase") if report.exists() else []
    return code, {case.attrib["name"] for case in cases if len(case) == 0}


def execute() -> int:
    """Run the chapters that have changed as tests and keep their outputs."""
    wanted = chapters()
    EXECUTED.mkdir(exist_ok=True)
    for path in EXECUTED.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    passed = fresh(wanted)
    drop_certificates(passed)
    stale = sorted(set(wanted) - passed)
    if passed:
        print(f"unchanged since they last passed: {', '.join(sorted(passed))}", flush=True)
    if not stale:
        return 0
    for name in stale:
        shutil.copy(ROOT / "book" / name, EXECUTED / name)
    alone = [name for name in ALONE if name in stale]
    first = [name for name in LONGEST_FIRST if name in stale]
    beside = [*first, *(name for name in stale if name not in (*first, *alone))]
    code = 0
    for names, processes in ((beside, PROCESSES), (alone, 1)):
        if names:
            failed, done = run(names, min(processes, len(names)))
            code, passed = code or failed, passed | done
    for name in sorted(passed & set(stale)):
        if (took := seconds(EXECUTED / name)) > ALLOWED:
            print(f"{name}: {took:.0f} s, of {ALLOWED} s on two idle cores", flush=True)
    silent = uncertified(passed)
    for name in sorted(silent):
        print(f"error: {name} passed, but left no certificate that passes", file=sys.stderr)
    passed -= silent
    write_json(STAMPS, {name: wanted[name] for name in sorted(passed)})
    return code or int(bool(silent))


def seed_cache() -> None:
    """Replace the execution cache of the build by the executed chapters."""
    import nbformat
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    folder = BUILD / ".jupyter_cache"
    shutil.rmtree(folder, ignore_errors=True)
    cache = get_cache(folder)
    for name in chapters():
        notebook = nbformat.read(EXECUTED / name, as_version=4)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times, which would change the cache's key
        bundle = CacheBundleIn(notebook, f"book/{name}")
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def html() -> int:
    """Build the pages; any warning, and any execution during the build, is a failure."""
    missing = sorted(set(chapters()) - fresh(chapters()))
    if missing:
        print(f"error: not executed as they are now: {', '.join(missing)}", file=sys.stderr)
        return 1
    seed_cache()
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT)]
    command += ["--all", "-W", "--keep-going", "-n"]
    executed = False
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            executed = executed or "Executing notebook" in line
            print(line, end="", flush=True)
    if process.returncode == 0 and executed:
        print("error: the build executed a notebook itself; its cache did not match .nbexec/")
        return 1
    if process.returncode == 0:
        print(f"\nThe book: {(BUILD / 'html' / 'index.html').as_uri()}")
    return process.returncode


if __name__ == "__main__":
    commands = {"execute": execute, "html": html}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python book/_scripts/build.py {'|'.join(commands)}")
    try:
        sys.exit(commands[sys.argv[1]]())
    except ValueError as problem:
        sys.exit(f"error: {problem}")

"""What an output is checked for before the work, and that one process at a time works on it."""

import os
import subprocess
import sys
import threading
from collections import namedtuple

import pytest

from deqir_lite import _outputs
from deqir_lite._files import UNFINISHED, replacing, write_atomically, write_together
from deqir_lite._locks import open_locked
from deqir_lite._outputs import (
    LOCK,
    check_folder,
    check_output,
    check_space,
    only_process,
    same_file,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")

# --- places ---

OUTPUTS = {
    "no folder": (lambda root: root / "gone" / "a", "out: no folder '.*gone' to write 'a' in"),
    "a file as folder": (lambda root: file(root) / "a", "out: no folder '.*file' to write"),
    "folder": (lambda root: root, "is a folder; expected a file name"),
    "link to a folder": (lambda root: link(root, root), "is a folder; expected a file name"),
    "pipe": (lambda root: pipe(root), "is a pipe or a device; expected a file name"),
    "link to a pipe": (lambda root: link(root, pipe(root)), "is a pipe or a device"),
    "device": (lambda root: "/dev/null", "'/dev/null' is a pipe or a device"),
    "full device": (lambda root: link(root, "/dev/full"), "is a pipe or a device"),
    "long name": (lambda root: root / ("a" * 256), r"cannot be written \(File name too long"),
    "long in UTF-8": (lambda root: root / ("é" * 128), r"cannot be written \(File name too long"),
    "null character": (lambda root: root / "a\0b", r"cannot be written \(embedded null"),
    "null in a folder": (lambda root: root / "a\0b" / "c", "out: no folder"),
    "a circle of links": (lambda root: link(root, root / "link"), r"cannot be written \(Too many"),
    "a link to nothing": (lambda root: link(root, root / "gone"), "link to '.*gone', which is"),
    "a link into nothing": (lambda root: link(root, root / "gone" / "a"), "out: no folder '.*gone"),
}  # fmt: skip
FOLDERS = {
    "file": (lambda root: file(root), "out: '.*file' is a file; expected a folder"),
    "in a file": (lambda root: file(root) / "a" / "b", "out: '.*file' is a file; expected a fol"),
    "pipe": (lambda root: pipe(root), "is a file; expected a folder"),
    "device": (lambda root: "/dev/null", "'/dev/null' is a file; expected a folder"),
    "broken link": (lambda root: link(root, "nowhere"), r"cannot be made \(a link to nothing"),
    "in a broken link": (lambda root: link(root, "nowhere") / "a", "cannot be made"),
    "a circle of links": (lambda root: link(root, root / "link"), r"cannot be made \(Too many"),
    "long name": (lambda root: root / ("a" * 256), r"cannot be made \(File name too long"),
    "long in the middle": (lambda root: root / ("a" * 256) / "b", "cannot be made"),
    "null character": (lambda root: root / "a\0b", r"cannot be made \(embedded null"),
}  # fmt: skip


def file(root):
    (root / "file").write_text("")
    return root / "file"


def pipe(root):
    os.mkfifo(root / "pipe")
    return root / "pipe"


def link(root, target):
    (root / "link").symlink_to(target)
    return root / "link"


def refuses(root, attempt, message):
    before = sorted(os.listdir(root))
    with pytest.raises((ValueError, OSError), match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("out: ")
    assert sorted(os.listdir(root)) == before


@pytest.mark.parametrize("when", ["before", "in the end"])
@pytest.mark.parametrize(("make", "message"), OUTPUTS.values(), ids=OUTPUTS)
def test_no_place_for_a_file(tmp_path, make, message, when):
    path = tmp_path / make(tmp_path)
    if when == "before":
        refuses(tmp_path, lambda: check_output("out", path), message)
    else:
        refuses(tmp_path, lambda: write_atomically(path, b"x", name="out"), message)


@pytest.mark.parametrize(("make", "message"), FOLDERS.values(), ids=FOLDERS)
def test_no_place_for_a_folder(tmp_path, make, message):
    path = tmp_path / make(tmp_path)
    refuses(tmp_path, lambda: check_folder("out", path), message)

    def work():
        with only_process("out", path, folder=True):
            pytest.fail("it should not begin")

    refuses(tmp_path, work, message)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_stands_in_the_way_of_a_file_in_a_folder(tmp_path, kind):
    (tmp_path / "a.json").mkdir() if kind == "folder" else os.mkfifo(tmp_path / "a.json")
    refuses(tmp_path, lambda: check_folder("out", tmp_path, files=["b", "a.json"]), f"is a {kind}")


def test_places_that_are_good(tmp_path):
    (tmp_path / "there").write_text("old")
    for name in (
        "there",
        "new",
        "a" * 255,
        "ö" * 127,
        b"\xff\xfe.png".decode(errors="surrogateescape"),
    ):
        check_output("out", tmp_path / name)
        write_atomically(tmp_path / name, b"new", name="out")
        assert (tmp_path / name).read_bytes() == b"new"
    assert len(os.listdir(tmp_path)) == 5
    check_folder("out", tmp_path / "a" / "b" / "c")
    assert not (tmp_path / "a").exists()


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    path = file(tmp_path)
    monkeypatch.setattr(os, "access", lambda place, mode: place != path)  # root may do all
    refuses(tmp_path, lambda: check_output("out", path), "is write-protected")


def test_a_link_stays_one(tmp_path):
    """And its file is replaced, whole or not at all."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new")
    assert os.readlink(tmp_path / "link") == "real"
    assert (tmp_path / "real").read_bytes() == b"new"


def test_too_little_space(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(_outputs.shutil, "disk_usage", lambda folder: usage(2_500_000))
    check_space("out", tmp_path, 2_500_000)
    message = r"out: 2\.5 MB are free in '.*'; about 3\.0 MB are needed"
    refuses(tmp_path, lambda: check_space("out", tmp_path, 3_000_000), message)
    refuses(tmp_path, lambda: check_output("out", tmp_path / "a", size=3_000_000), message)


def test_errors_of_the_disk_name_argument_and_file(tmp_path):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        for write in (
            lambda: write_atomically(tmp_path / "a", bytes(5000), name="out"),
            lambda: write_together(tmp_path, {"b": b"x", "a": bytes(5000), "c": b"x"}, name="out"),
        ):
            refuses(tmp_path, write, r"out: '\S*/a' cannot be written \(File too large\)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_one_file_by_several_names(tmp_path):
    path = file(tmp_path)
    os.link(path, tmp_path / "hard")
    assert same_file(path, tmp_path / "hard")
    assert same_file(path, link(tmp_path, path))
    assert same_file(tmp_path / "new", tmp_path / "a" / ".." / "new")
    assert not same_file(path, tmp_path / "new")
    assert not same_file(tmp_path / "new", tmp_path / "newer")


# --- one process at a time ---


def working(path, folder):
    """Another process that works on ``path`` until its standard input is closed."""
    code = (
        "import sys; from pathlib import Path; from deqir_lite._outputs import only_process\n"
        f"with only_process('out', Path({str(path)!r}), folder={folder}):\n"
        "    print('works', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "works\n"
    return other


@pytest.mark.parametrize("folder", [True, False])
def test_the_second_process_is_refused_and_a_killed_one_is_none(tmp_path, folder):
    path = tmp_path / "out"
    other = working(path, folder)
    try:
        lock = rf"out: another process \({other.pid}\) is at work on '\S*out'; wait for it"
        with pytest.raises(BlockingIOError, match=lock), only_process("out", path, folder=folder):
            pytest.fail("two at once")
    finally:
        other.kill()  # SIGKILL: nothing is tidied up
        other.communicate()
    assert [p for p in tmp_path.rglob("*") if p.name.endswith(LOCK)]
    with only_process("out", path, folder=folder):
        pass
    assert list(tmp_path.iterdir()) == ([path] if folder else [])  # it did not make the folder


def test_the_same_process_is_refused_too_and_the_file_may_come_by_a_link(tmp_path):
    (tmp_path / "a.json").touch()
    alias = link(tmp_path, tmp_path / "a.json")
    with (
        only_process("out", tmp_path / "a.json"),
        pytest.raises(BlockingIOError),
        only_process("out", alias),
    ):
        pass
    with only_process("out", alias), only_process("out", tmp_path / "b.json"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["a.json", "link"]


def test_folders_that_stay_empty_do_not_stay(tmp_path):
    with only_process("out", tmp_path / "a" / "b", folder=True):
        assert os.listdir(tmp_path / "a" / "b") == [LOCK]
    assert os.listdir(tmp_path) == []
    with only_process("out", tmp_path / "a" / "b", folder=True):
        write_atomically(tmp_path / "a" / "b" / "c", b"")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "c"]


def test_many_threads_take_turns(tmp_path):
    """Whoever is let in is alone, though the lock file comes and goes."""
    inside, most, let_in = [], [], []

    def work():
        for _ in range(40):
            try:
                with only_process("out", tmp_path / "a"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                    let_in.append(1)
            except BlockingIOError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let_in
    assert max(most) == 1
    assert os.listdir(tmp_path) == []


# --- what killed processes leave ---


def test_unfinished_files_of_the_dead_are_removed_and_of_the_living_not(tmp_path):
    dead = tmp_path / f".a.png.01234567{UNFINISHED}"
    dead.write_bytes(b"half")
    foreign = tmp_path / ".a.png.01234567.tmp"
    foreign.write_bytes(b"of another program")
    with replacing(tmp_path / "b.png") as living:
        living.write_bytes(b"ha")
        write_atomically(tmp_path / "a.png", b"whole")
        assert not dead.exists()
        assert living.exists()
        living.write_bytes(b"half and half")
    assert sorted(os.listdir(tmp_path)) == [foreign.name, "a.png", "b.png"]


def test_a_check_removes_them_too(tmp_path):
    for check in (
        lambda: check_output("out", tmp_path / "a"),
        lambda: check_folder("out", tmp_path),
        lambda: check_folder("out", tmp_path / "new"),
    ):
        (tmp_path / f".x{UNFINISHED}").write_bytes(b"half")
        check()
        assert os.listdir(tmp_path) == []


def test_a_file_that_was_removed_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    from deqir_lite import _locks

    path, usual, seen = tmp_path / "lock", _locks.try_lock, []

    def late(file):
        if not seen:
            path.unlink()  # by its last owner
        seen.append(file)
        return usual(file)

    monkeypatch.setattr(_locks, "try_lock", late)
    file = open_locked(path)
    assert len(seen) == 2
    assert os.path.samestat(os.fstat(file), os.stat(path))
    os.close(file)

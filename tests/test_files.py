"""Files are whole or not there at all, whoever writes them."""

import os
import stat

import pytest

from deqir_lite._files import replacing, write_atomically


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_finished_files_have_the_permissions_of_any_new_file(tmp_path, umask, expected):
    path = tmp_path / "a.bin"
    before = os.umask(umask)
    try:
        with replacing(path) as temporary:
            temporary.unlink()  # as writers do that make a private file of their own
            temporary.write_bytes(b"content")
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert mode(path) == expected
    assert path.read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_atomically(tmp_path / "a.bin", b"old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of the n")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_nobody_sees_the_new_file_before_it_is_whole(tmp_path):
    path = write_atomically(tmp_path / "a.bin", b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == tmp_path
    assert path.read_bytes() == b"new"


def test_path_as_text(tmp_path):
    assert write_atomically(str(tmp_path / "a"), b"x") == tmp_path / "a"


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("gone/a", FileNotFoundError, "out: no folder"),
        ("folder", ValueError, "out: .* is a folder"),
    ],
)
def test_impossible_places(tmp_path, path, error, message):
    (tmp_path / "folder").mkdir()
    with pytest.raises(error, match=message):
        write_atomically(tmp_path / path, b"x", name="out")
    assert os.listdir(tmp_path) == ["folder"]

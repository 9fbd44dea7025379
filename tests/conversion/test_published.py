"""Downloads that are cut off, changed or refused, against a server on this machine."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch

from deqir_lite.conversion import download as download_module
from deqir_lite.conversion import published
from deqir_lite.conversion.download import download
from deqir_lite.conversion.published import PUBLISHED, Published, fetch_checkpoint
from deqir_lite.priors.load import load_prior

CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    """What it serves, how, and what was asked of it."""
    monkeypatch.setenv("no_proxy", "*")
    state = SimpleNamespace(
        content=CONTENT, tag='"one"', ends=None, heeds="If-Range", ranges=True, kind=None,
        code=None, asked=[],
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.headers.get("Range"))
            content, start = state.content, 0
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            same = state.heeds != "If-Range" or self.headers.get("If-Range") == state.tag
            if wanted and state.ranges and same:
                start = int(wanted[1])
            code = 200 if not start else 206 if start < len(content) else 416
            self.send_response(state.code or code)
            self.send_header("Content-Type", state.kind or "application/octet-stream")
            self.send_header("Content-Length", str(max(0, len(content) - start)))
            if code == 206:
                self.send_header("Content-Range", f"bytes {start}-/{len(content)}")
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            self.wfile.write(content[start : state.ends])

        def log_message(self, *arguments):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{served.server_port}/file.pt"
    yield state
    served.shutdown()
    served.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.pt"


def names(path):
    return sorted(found.name for found in path.parent.iterdir())


def test_a_file_comes_whole_with_its_checksum_beside_it(server, path):
    assert download(server.url, path) == DIGEST
    assert path.read_bytes() == CONTENT
    assert path.with_name("file.pt.sha256").read_text() == f"{DIGEST}  file.pt\n"
    assert names(path) == ["file.pt", "file.pt.sha256"]
    assert server.asked == [None]


def test_a_file_that_is_there_is_not_asked_for_again(server, path):
    path.write_bytes(CONTENT)
    assert download(server.url, path, sha256=DIGEST) == DIGEST
    assert server.asked == []


def cut_off(server, path, after=100_000):
    server.ends = after
    with pytest.raises(OSError, match=f"it ended after {after} of 512000 bytes") as error:
        download(server.url, path)
    assert str(error.value).startswith(f"fetch: {server.url} did not deliver file.pt (")
    assert len(str(error.value).splitlines()) == 1
    server.ends = None
    return str(error.value)


def test_a_download_that_was_cut_off_goes_on(server, path):
    assert "; what came is kept, and the same command goes on" in cut_off(server, path)
    assert names(path) == ["file.pt.part", "file.pt.part.tag"]
    assert download(server.url, path) == DIGEST
    assert server.asked == [None, "bytes=100000-"]
    assert path.read_bytes() == CONTENT
    assert names(path) == ["file.pt", "file.pt.sha256"]


@pytest.mark.parametrize("heeds", ["If-Range", "nothing"])
def test_a_file_that_has_changed_meanwhile_is_not_mixed_with_the_old_one(server, path, heeds):
    """Whether the server looks at If-Range or goes on blindly."""
    cut_off(server, path)
    server.content, server.tag, server.heeds = CONTENT[::-1], '"two"', heeds
    download(server.url, path)
    assert path.read_bytes() == CONTENT[::-1]


def test_without_ranges_a_download_begins_again(server, path):
    cut_off(server, path)
    server.ranges = False
    assert download(server.url, path) == DIGEST


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_a_file_that_cannot_be_told_from_another_begins_again(server, path, tag):
    server.tag = tag
    assert "what came is kept" not in cut_off(server, path)
    assert download(server.url, path) == DIGEST
    assert server.asked == [None, None]


def test_a_part_that_is_as_long_as_the_file_begins_again(server, path):
    cut_off(server, path)
    path.with_name("file.pt.part").write_bytes(bytes(len(CONTENT)))
    assert download(server.url, path) == DIGEST


def test_a_file_with_another_published_checksum_is_not_kept(server, path):
    with pytest.raises(ValueError, match=f"came with the SHA-256 {DIGEST}, but published is 00"):
        download(server.url, path, sha256="00" * 32)
    assert names(path) == []


def test_the_checksum_of_the_first_download_holds_for_later_ones(server, path):
    download(server.url, path)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=f"at first it was {DIGEST}; remove it and fetch again"):
        download(server.url, path)
    path.unlink()
    server.content = CONTENT[:-1]
    with pytest.raises(ValueError, match="it was not kept"):
        download(server.url, path)
    assert names(path) == ["file.pt.sha256"]


def test_what_is_wrong_with_an_answer_is_not_taken_for_another_checksum(server, path, monkeypatch):
    cut_off(server, path)

    def answer(*arguments):
        raise ValueError("a malformed length")

    monkeypatch.setattr(download_module, "_answer", answer)
    with pytest.raises(ValueError, match="^a malformed length$"):
        download(server.url, path)
    assert names(path) == ["file.pt.part", "file.pt.part.tag"]


def test_a_web_page_is_no_file(server, path):
    """As Google Drive sends one when too many have asked."""
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(OSError, match="it sent a web page in place of the file"):
        download(server.url, path)
    assert names(path) == []


@pytest.mark.parametrize("code", [403, 404, 500])
def test_an_error_of_the_server_is_one_line(server, path, code):
    server.code = code
    with pytest.raises(OSError, match=f"fetch: .* did not deliver file.pt \\(HTTP {code} "):
        download(server.url, path)
    assert names(path) == []


def test_without_a_network_one_line_says_so(monkeypatch, path):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(OSError, match=r"fetch: .*\(.*refused\); is there a network\?$"):
        download("http://127.0.0.1:1/file.pt", path)
    assert names(path) == []


def test_a_silent_server_is_given_up(monkeypatch, path):
    import socket

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download_module, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.pt"
        with pytest.raises(OSError, match="timed out"):
            download(url, path)


def test_a_full_disk_is_said_before_the_download(server, path, monkeypatch):
    usage = SimpleNamespace(free=1_100_000)
    monkeypatch.setattr("deqir_lite._outputs.shutil.disk_usage", lambda folder: usage)
    server.content = bytes(2_000_000)
    with pytest.raises(OSError, match="^out: 1.1 MB are free in .*about 2.0 MB are needed"):
        download(server.url, path)


# --- the published ones ---


def test_every_published_checkpoint_has_an_address_and_a_layout():
    for source in PUBLISHED.values():
        assert source.url.startswith("https://")
        assert source.layout in ("adm", "ddpm")
        assert source.sha256 is None or re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert len({source.file for source in PUBLISHED.values()}) == len(PUBLISHED)


def test_a_published_checkpoint_becomes_a_prior(server, ddpm, tmp_path, monkeypatch):
    torch.save(ddpm().state_dict(), tmp_path / "served.ckpt")
    server.content = (tmp_path / "served.ckpt").read_bytes()
    monkeypatch.setitem(published.PUBLISHED, "small", Published(server.url, "s.ckpt", "ddpm"))
    made, file, digest = fetch_checkpoint("small", tmp_path / "priors" / "small")
    assert file == tmp_path / "priors" / "s.ckpt"
    assert digest == hashlib.sha256(server.content).hexdigest()
    assert load_prior(made.folder).prediction_type == "epsilon"


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="name: unknown value 'imagenet'; known: imagenet256, im"):
        fetch_checkpoint("imagenet", tmp_path / "out")


def test_a_folder_that_holds_something_is_refused_before_the_download(server, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="holds 'a'; expected a new or an empty folder"):
        fetch_checkpoint("imagenet256", tmp_path)
    assert server.asked == []

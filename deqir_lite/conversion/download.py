"""A large file from the web: it goes on where it was cut off, and is known by its SHA-256.

pooch puts the file in its place when it has been checked. What brings it is ours, since pooch's own
downloader begins again after a break and does not ask how much room there is; so is the checksum of
a first download, which pooch keeps for no later one. A process that is killed leaves an empty file
of pooch's, "tmp...", beside what is gone on with.
"""

import http.client
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from deqir_lite._files import naming, write_atomically
from deqir_lite._outputs import check_output, check_space, only_process

PATIENCE = 20.0
"""Seconds that the other side may be silent."""

_BLOCK = 2**20
_PART, _NO_SUCH_PART = 206, 416


def download(
    url: str, path: Path, *, sha256: str | None = None, show_progress: bool = False
) -> str:
    """The file at ``url`` as ``path``, whole or not at all; returns its SHA-256.

    What has come when it is cut off stays in ``path`` + ".part", and the next call goes on after
    it, unless the server has another file by then. Without a published ``sha256`` the one of the
    first download is kept in ``path`` + ".sha256", as sha256sum writes it, and later ones are
    compared with it. A file that is there is not asked for again.

    Raises OSError where the server does not deliver the file, ValueError for one with another
    SHA-256; both begin with "fetch" and are one line, what the disk does not take with "out".
    """
    import pooch

    check_output("out", path)
    record = _beside(path, ".sha256")
    with only_process("out", path):
        expected = sha256 or (record.read_text().split()[0] if record.is_file() else None)
        found = ""

        def check(file: Path, what: str, then: str) -> None:
            nonlocal found
            found = pooch.file_hash(file)
            if expected not in (None, found):
                raise ValueError(
                    f"fetch: {str(path)!r} {what} the SHA-256 {found}, but "
                    f"{'published is' if sha256 else 'at first it was'} {expected}; {then}"
                )

        def bring(url: str, output: str, _: object) -> None:
            _complete(url, path, show_progress)
            part = _beside(path, ".part")
            try:
                check(part, "came with", "it was not kept")
            except ValueError:
                _forget(path)
                raise
            os.replace(part, output)

        there = path.is_file()
        if there:
            check(path, "has", "remove it and fetch again")
        else:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(url, expected, path.name, path.parent, downloader=bring)
        if not record.is_file():
            write_atomically(record, f"{found}  {path.name}\n".encode(), name="out")
        if not there:
            _forget(path)
    return found


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Without its lines about the file, which the caller has, too."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _complete(url: str, path: Path, show_progress: bool) -> None:
    """Bring the rest of the file into its .part."""
    part, tag = _beside(path, ".part"), _beside(path, ".part.tag")
    have = part.stat().st_size if part.is_file() and tag.is_file() else 0
    known = tag.read_text() if have else ""
    with _one_line(url, path), closing(_answer(url, have, known)) as response:
        if response.headers.get_content_type() == "text/html":
            raise OSError("it sent a web page in place of the file")
        if have and not _goes_on(response, have, known):
            _forget(path)  # another file by now, or one of no such length
            return _complete(url, path, show_progress)
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        if total is not None:
            check_space("out", path.parent, total - have)
        if not have:
            _forget(path)
            if validator := _validator(response.headers):
                write_atomically(tag, validator.encode(), name="out")
        _write(response, part, have, total, show_progress)
    return None


def _answer(url: str, have: int, known: str) -> Any:
    headers = {"User-Agent": "deqir-lite", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known}
    try:
        return urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=PATIENCE
        )
    except urllib.error.HTTPError as error:
        if have and error.code == _NO_SUCH_PART:
            return error
        raise


def _goes_on(response: Any, have: int, known: str) -> bool:
    """Whether the answer is what follows the first ``have`` bytes of the file that was begun."""
    start = str(response.headers.get("Content-Range"))
    same = _validator(response.headers) in (None, known)
    return response.status == _PART and start.startswith(f"bytes {have}-") and same


def _write(response: Any, part: Path, have: int, total: int | None, show_progress: bool) -> None:
    hidden = None if show_progress else True  # None: where standard error is no terminal
    bar = tqdm(total=total, initial=have, desc=part.stem, unit="B", unit_scale=True, disable=hidden)
    with bar, naming("out", part), part.open("ab") as file:
        while block := response.read(_BLOCK):
            file.write(block)
            have += len(block)
            bar.update(len(block))
    if total is not None and have != total:
        raise OSError(f"it ended after {have} of {total} bytes")


def _validator(headers: Any) -> str | None:
    """What tells whether the file is still the same; a weak tag cannot."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _forget(path: Path) -> None:
    for ending in (".part", ".part.tag"):
        _beside(path, ending).unlink(missing_ok=True)


@contextmanager
def _one_line(url: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if str(error).startswith(("out: ", "fetch: ")):  # of the disk, or said already
            raise
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        if isinstance(error, urllib.error.HTTPError):
            reason = f"HTTP {error.code} {reason}"
        kept = _beside(path, ".part.tag").is_file() and _beside(path, ".part").is_file()
        then = "; what came is kept, and the same command goes on" if kept else ""
        raise OSError(
            f"fetch: {url} did not deliver {path.name} ({reason or type(error).__name__}); is "
            f"there a network?{then}"
        ) from error

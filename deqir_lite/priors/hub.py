"""A model on the hub: out of the cache of this machine where it is there, else one short try."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 10.0
"""Seconds that the hub may be silent, over all files of a model."""

_POLL = 0.05


class HubModel:
    """The files of ``hub_id`` (owner/name); errors begin with the ``name`` of an argument.

    A file in the cache is taken as it is, and nothing is asked. Every other one is asked for once:
    whatever the hub answers, or when it says nothing for :data:`PATIENCE` seconds, the error is
    one line, a FileNotFoundError.
    """

    def __init__(self, hub_id: str, *, name: str = "prior") -> None:
        self.hub_id, self.name, self.patience = hub_id, name, PATIENCE
        self.asked = False

    def cached(self, path: str) -> Path | None:
        """The file ``path`` in the cache of this machine."""
        import huggingface_hub  # takes a moment, and only hub ids need it

        try:
            found = huggingface_hub.try_to_load_from_cache(self.hub_id, path)
        except ValueError as error:  # a name that no model can have
            raise self._undelivered(error) from error
        return Path(found) if isinstance(found, str) else None

    def find(self, paths: Sequence[str]) -> Path | None:
        """The first of ``paths`` that the cache has, or else the hub; None when neither has."""
        for path in paths:
            if (file := self.cached(path)) is not None:
                return file
        for path in paths:
            if (file := self._fetch(path)) is not None:
                return file
        return None

    def _fetch(self, path: str) -> Path | None:
        """``path``, downloaded; None when the model has no such file."""
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        self.asked = True

        def download() -> Path | None:
            if not constants.HF_HUB_OFFLINE:  # one try: the download itself would make several
                get_hf_file_metadata(hf_hub_url(self.hub_id, path), timeout=PATIENCE)
            return Path(hf_hub_download(self.hub_id, path))

        try:
            with _quiet():
                return self._answered(download)
        except LocalEntryNotFoundError as error:
            raise self._undelivered(error) from error
        except EntryNotFoundError:
            return None
        except Exception as error:  # of the client, of what it stands on, and of its own names
            raise self._undelivered(error) from error

    def _answered(self, work: Callable[[], Path | None]) -> Path | None:
        """What ``work`` returns or raises, if it does not wait for longer than patience lasts.

        The client has no limit on the time that a whole request takes. A thread that still waits
        for a silent server ends with the process.
        """
        results: list[Any] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        arrived, then = self._arrived(), time.monotonic()
        while thread.is_alive():
            thread.join(_POLL)
            now, bytes_now = time.monotonic(), self._arrived()
            if bytes_now == arrived:
                self.patience -= now - then
            arrived, then = bytes_now, now
            if self.patience <= 0 and thread.is_alive():
                raise TimeoutError(f"no answer for {PATIENCE:g} s")
        if errors:
            raise errors[0]
        return results[0]

    def _arrived(self) -> int:
        """Bytes of this model that have been downloaded so far, unfinished files too."""
        from huggingface_hub import constants

        folder = Path(constants.HF_HUB_CACHE) / f"models--{self.hub_id.replace('/', '--')}"
        size = 0
        for file in folder.glob("blobs/*"):
            try:
                size += file.stat().st_size
            except OSError:  # renamed in this moment
                continue
        return size

    def _undelivered(self, error: Exception) -> FileNotFoundError:
        reason = " ".join(str(error).split())
        reason = f": {reason[:150]}" if reason else ""
        return FileNotFoundError(
            f"{self.name}: no folder {self.hub_id!r}, and the hub did not deliver it "
            f"({type(error).__name__}{reason}); is there a network, and is the name right?"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own log, and without the transport that writes no unfinished file."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    level, xet = logging.get_verbosity(), constants.HF_HUB_DISABLE_XET
    logging.set_verbosity(logging.CRITICAL)
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = xet
        logging.set_verbosity(level)

"""Locks on open files: the system gives them up when a process ends, however it ends."""

import errno
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_BYTE = 2**30
"""On Windows nobody else can read what is locked, so it is a byte far behind the content."""


def try_lock(file: int) -> bool:
    """Lock the file with this descriptor, until it is closed; False on a disk that has no locks.

    Raises BlockingIOError when it is locked already, by this process or another one.
    """
    try:
        if sys.platform == "win32":
            os.lseek(file, _BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError(error.errno, "locked") from error
        return False
    return True


def open_locked(path: Path, *, new: bool = False) -> int:
    """The descriptor of the file ``path``, made where it is missing, with its lock.

    On a disk without locks it is open all the same. Raises FileExistsError when it shall be
    ``new`` and is not, BlockingIOError when it is locked.
    """
    while True:
        flags = os.O_CREAT | os.O_RDWR | (os.O_EXCL if new else 0)
        file = os.open(path, flags, 0o666)
        try:
            try_lock(file)
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        except FileNotFoundError:
            pass  # removed by its last owner between opening and locking
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def remove_locked(path: Path, file: int) -> None:
    """Remove a file and give up its lock, so that nobody locks what is no longer there."""
    if sys.platform == "win32":  # where open files cannot be removed
        os.close(file)
        path.unlink(missing_ok=True)
    else:
        path.unlink(missing_ok=True)
        os.close(file)

"""Blur kernels read from a picture, from NumPy's .npy or from text."""

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deqir_lite._files import check_regular, printable
from deqir_lite.checks import check_size
from deqir_lite.images.decoding import decode_file
from deqir_lite.images.encoding import PICTURE_ENDINGS
from deqir_lite.images.photos import PHOTO_ENDINGS
from deqir_lite.operators.base import Size

TEXT_ENDINGS = (".txt", ".csv", ".tsv", ".dat")
KERNEL_ENDINGS = (*PICTURE_ENDINGS, ".npy", *TEXT_ENDINGS)
"""What the name of a kernel commonly ends in; other pictures of ``PHOTO_ENDINGS`` are read too."""

_LARGEST = 2**26
_DECIMAL_COMMA = re.compile(r",.*;|;.*,|\d,\d+\s+\d")


@dataclass(frozen=True, eq=False)
class KernelFile:
    """A kernel for :class:`FFTBlur`: 2-D with odd sides and sum 1, float64.

    Attributes:
        kernel: what the blur takes; a file with an even side has a last row or column of zeros.
        size: (rows, columns) in the file.
        total: the sum of the taps in the file, by which they were divided; white is 1.
        path: the file.
    """

    kernel: Tensor
    size: Size
    total: float
    path: Path

    @property
    def centre(self) -> tuple[int, int]:
        """(row, column), from 0, of the tap that leaves a pixel where it is: n // 2 of n."""
        return self.size[0] // 2, self.size[1] // 2

    def describe(self) -> str:
        """One line: size, centre, and what was done to the taps."""
        divided = "" if abs(self.total - 1) < 1e-6 else f", divided by their sum {self.total:.6g}"
        row, column = self.centre
        return (
            f"{printable(self.path.name)}: {self.size[1]}x{self.size[0]} taps{divided}, "
            f"centre in row {row}, column {column} (from 0)"
        )


def load_kernel(path: str | os.PathLike[str], *, image_size: Size | None = None) -> Tensor:
    """Read the kernel of a blur, for :class:`FFTBlur`: 2-D, odd sides, sum 1, float64.

    Warns when numbers, other than a picture, do not sum to 1. Arguments and errors as in
    :func:`read_kernel`.
    """
    found = read_kernel(path, image_size=image_size)
    if found.path.suffix.lower() not in PHOTO_ENDINGS and abs(found.total - 1) > 1e-3:
        warnings.warn(f"kernel: {found.describe()}", stacklevel=2)
    return found.kernel


def read_kernel(path: str | os.PathLike[str], *, image_size: Size | None = None) -> KernelFile:
    """Read the kernel k of a blur y = k * x (a convolution) from a file.

    Taps are divided by their sum, so that the blur keeps the brightness: what is returned says so,
    and :func:`load_kernel` warns of it. Of an even side n, the centre is tap n // 2, as
    of ``numpy.fft.fftshift``. A picture is read as it is: its grey values are the taps.

    Args:
        path: a grey picture (black = 0), a .npy file with a 2-D array, or text: a line for each
            row, numbers between spaces, commas, semicolons or tabs, comments behind #.
        image_size: (H, W) of the photo that was blurred; a kernel may not be larger.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a kernel: another format, not 2-D, values that are not finite real numbers,
            all zero, a sum that is not positive, a picture in colour or with transparency, or
            larger than ``image_size``.
    """
    if image_size is not None:
        image_size = check_size("image_size", image_size)
    path = check_regular("kernel", path, "kernel")
    label = f"kernel: {str(path)!r}"
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{label} has more than {_LARGEST >> 20} MB; expected a kernel")
    ending = path.suffix.lower()
    if ending in PHOTO_ENDINGS or ending == ".gif":
        taps = _from_picture(path, label)
    elif ending == ".npy":
        taps = _from_npy(path, label)
    elif ending in TEXT_ENDINGS:
        taps = _from_text(path, label)
    else:
        raise ValueError(f"{label} ends in {ending!r}; expected {', '.join(KERNEL_ENDINGS)}")
    total = _check(taps, label)
    rows, columns = taps.shape
    if image_size is not None and (rows > image_size[0] or columns > image_size[1]):
        raise ValueError(
            f"{label} has {columns}x{rows} taps, more than the photo's "
            f"{image_size[1]}x{image_size[0]} pixels"
        )
    return KernelFile(_odd(taps / total), (rows, columns), total, path)


def _check(taps: np.ndarray, label: str) -> float:
    """The sum of the taps of a kernel; ValueError for what is none."""
    if taps.ndim != 2 or 0 in taps.shape:
        raise ValueError(f"{label} has shape {taps.shape}; expected 2-D, rows and columns")
    if not np.isfinite(taps).all():
        raise ValueError(f"{label} holds NaN or infinity; expected finite taps")
    if not taps.any():
        raise ValueError(f"{label} is all zero; expected a tap that is not")
    total = float(taps.sum())
    if total <= 1e-9 * float(abs(taps).sum()):
        raise ValueError(
            f"{label} has taps of sum {total:.4g}; expected a positive sum, as a blur keeps light"
        )
    return total


def _odd(taps: np.ndarray) -> Tensor:
    """Zeros behind the last row and column of an even side: its tap n // 2 is then the middle."""
    rows, columns = taps.shape
    return torch.from_numpy(np.pad(taps, ((0, 1 - rows % 2), (0, 1 - columns % 2))))


def _from_picture(path: Path, label: str) -> np.ndarray:
    pixels, _, _ = decode_file(path, name="kernel", what="kernel")
    if pixels.cmyk:
        raise ValueError(f"{label} is a CMYK picture; expected a grey one")
    unit = pixels.values.astype(np.float64) / pixels.white
    if pixels.alpha:
        if (unit[..., -1] < 1).any():
            raise ValueError(f"{label} has transparent pixels; expected an opaque grey picture")
        unit = unit[..., :-1]
    if np.ptp(unit, axis=-1).max() > 2 / 255:  # JPEG moves channels apart
        raise ValueError(f"{label} is in colour; expected a grey picture")
    return unit.mean(axis=-1)


def _from_npy(path: Path, label: str) -> np.ndarray:
    try:
        # Mapped: a header that promises more than the file holds is found before memory is taken.
        stored: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # its header is parsed as Python, which can fail in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{label} is no readable .npy file ({reason})") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "fiub":
        kind = getattr(stored, "dtype", type(stored).__name__)
        raise ValueError(f"{label} holds {kind}; expected an array of real numbers")
    return np.array(stored, dtype=np.float64)


def _from_text(path: Path, label: str) -> np.ndarray:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{label} is no readable text ({error})") from error
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    if any(_DECIMAL_COMMA.search(line) for line in lines):
        raise ValueError(f"{label} mixes commas and other separators; expected decimal points")
    rows = [re.split(r"\s*[,;]\s*|\s+", line) for line in lines if line]
    if len({len(row) for row in rows}) != 1:
        lengths = ", ".join(map(str, sorted({len(row) for row in rows}))) or "no"
        raise ValueError(f"{label} has rows of {lengths} numbers; expected rows of one length")
    try:
        return np.array([[float(number) for number in row] for row in rows])
    except ValueError as error:
        raise ValueError(f"{label} holds no numbers only ({error})") from error

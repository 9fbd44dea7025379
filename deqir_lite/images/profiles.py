"""Colours of a photo with an ICC profile -> sRGB, where all priors were trained, and back.

Profiles of three curves and a matrix (nearly all of cameras and displays), or of one grey curve,
are applied in floating point, so that nothing is rounded to 8 bits on the way and the way back is
exact; the others, made of tables, go through Pillow's ImageCms, in 8 bits.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

_TO_XYZ = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
"""Linear sRGB -> XYZ under D50, as in the sRGB profile of the ICC."""

_GRID = np.linspace(0, 1, 65537)
_CHANNELS = {"RGB": 3, "GRAY": 1, "CMYK": 4}
_SLAB = 2**20  # values at once: the working copies of a large photo stay small


class Profile:
    """How colours of one ICC profile become sRGB.

    Attributes:
        data: the profile as in the file.
        space: "RGB", "GRAY" or "CMYK".
        exact: computed in floating point; else in 8 bits.

    Raises ValueError when the profile cannot be read or is of another space.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._cms = ImageCms.ImageCmsProfile(io.BytesIO(data))
            self.space = self._cms.profile.xcolor_space.strip()
            if self.space not in _CHANNELS:
                raise ValueError(f"it is of the space {self.space}")
            self._shaper = _shaper_or_none(data, self.space)
            self.exact = self._shaper is not None
            self.to_srgb(np.zeros((1, 1, _CHANNELS[self.space])))
        except Exception as error:  # littleCMS says what it does not like in several types
            raise ValueError(f"its colour profile cannot be read ({error})") from error
        self.data = data

    @property
    def reversible(self) -> bool:
        """Whether sRGB can be brought back to it: tables may lead one way only."""
        if self.space == "RGB" and not self.exact:
            try:
                self.from_srgb(np.zeros((1, 1, 3)))
            except ImageCms.PyCMSError:
                return False
        return self.space == "RGB"

    def to_srgb(self, unit: np.ndarray) -> np.ndarray:
        """Colours (H, W, C) in [0, 1] -> sRGB (H, W, 3), clipped to what sRGB has."""
        if self._shaper is None:
            return self._in_eight_bits(unit, back=False)
        curves, matrix = self._shaper
        result = np.empty((*unit.shape[:2], 3))
        for rows in _slabs(unit):
            linear = [np.interp(unit[rows, :, c], _GRID, curve) for c, curve in enumerate(curves)]
            if len(linear) == 1:
                linear *= 3
            result[rows] = encode_srgb(np.stack(linear, axis=-1) @ matrix.T)
        return result

    def from_srgb(self, srgb: np.ndarray) -> np.ndarray:
        """sRGB (H, W, 3) in [0, 1] -> colours (H, W, 3) of an RGB profile."""
        if self._shaper is None:
            return self._in_eight_bits(srgb, back=True)
        curves, matrix = self._shaper
        inverse = np.linalg.inv(matrix)
        result = np.empty(srgb.shape)
        for rows in _slabs(srgb):
            linear = decode_srgb(srgb[rows]) @ inverse.T
            for c, curve in enumerate(curves):
                result[rows, :, c] = np.interp(linear[..., c], curve, _GRID)
        return result

    def _in_eight_bits(self, unit: np.ndarray, *, back: bool) -> np.ndarray:
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[self.space]  # only RGB has a way back
        levels = np.round(unit * 255).astype(np.uint8)
        image = Image.fromarray(levels[..., 0] if mode == "L" else levels, mode)
        srgb = ImageCms.createProfile("sRGB")
        source, target = (srgb, self._cms) if back else (self._cms, srgb)
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        found = ImageCms.profileToProfile(
            image, source, target, renderingIntent=intent, outputMode="RGB"
        )
        assert found is not None  # only in place it returns nothing
        return np.asarray(found) / 255

    def is_srgb(self) -> bool:
        """Whether it leaves colours as they are, to half a step of 8 bits: then nothing is done."""
        if self.space != "RGB":
            return False
        steps = np.linspace(0, 1, 9)
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
        colours = np.round(colours * 255) / 255
        tolerance = 0.5 if self.exact else 1.5
        return bool(abs(self.to_srgb(colours) - colours).max() < tolerance / 255)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB values, clipped to [0, 1]. Source: IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def decode_srgb(srgb: np.ndarray) -> np.ndarray:
    """The inverse of :func:`encode_srgb`."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _slabs(pixels: np.ndarray) -> Iterator[slice]:
    rows = max(1, _SLAB // max(1, pixels[0].size))
    return (slice(top, top + rows) for top in range(0, len(pixels), rows))


Shaper = tuple[list[np.ndarray], np.ndarray]
"""Tables of the curves to linear light on ``_GRID``, and the matrix from there to linear sRGB."""


def _shaper_or_none(data: bytes, space: str) -> Shaper | None:
    try:
        with np.errstate(all="ignore"):
            return _shaper(data, space)
    except (ValueError, IndexError, struct.error):
        return None


def _shaper(data: bytes, space: str) -> Shaper | None:
    """None when the profile is not one of curves and a matrix. Source: ICC.1:2022, 10.6, 10.18."""
    tags = _tags(data)
    if b"A2B0" in tags or b"A2B1" in tags:
        return None
    if space == "GRAY" and b"kTRC" in tags:
        return [_curve(tags[b"kTRC"])], np.eye(3)
    if space != "RGB" or not all(
        c + b"XYZ" in tags and c + b"TRC" in tags for c in (b"r", b"g", b"b")
    ):
        return None
    columns = [np.frombuffer(tags[c + b"XYZ"], ">i4", 3, 8) / 65536 for c in (b"r", b"g", b"b")]
    curves = [_curve(tags[c + b"TRC"]) for c in (b"r", b"g", b"b")]
    matrix = np.linalg.inv(_TO_XYZ) @ np.stack(columns, axis=-1)
    return (curves, matrix) if np.linalg.cond(matrix) < 1000 else None


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    entries = (struct.unpack_from(">4sII", data, 132 + 12 * k) for k in range(min(count, 100)))
    return {name: data[start : start + size] for name, start, size in entries}


def _curve(tag: bytes) -> np.ndarray:
    """A curve to linear light, sampled on ``_GRID``. Raises ValueError when it has no inverse."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return _GRID
        values = np.frombuffer(tag, ">u2", count, 12)
        if count == 1:
            return _GRID ** (float(values[0]) / 256)
        table = np.interp(_GRID, np.linspace(0, 1, count), values / 65535)
    elif tag[:4] == b"para":
        table = _parametric(struct.unpack_from(">H", tag, 8)[0], np.frombuffer(tag[12:40], ">i4"))
    else:
        raise ValueError("unknown type of curve")
    if not (np.diff(table) >= 0).all() or not table[-1] - table[0] >= 0.5:
        raise ValueError("the curve does not rise")
    return table


def _parametric(kind: int, numbers: np.ndarray) -> np.ndarray:
    used = (1, 3, 4, 5, 7)[kind]
    g, a, b, c, d, e, f = np.concatenate([numbers[:used] / 65536, np.zeros(7 - used)])
    x = _GRID
    if kind == 0:
        return x**g
    power = np.maximum(a * x + b, 0) ** g
    if kind < 3:  # above -b / a; below it zero, or for kind 2 a constant
        return np.where(x >= -b / a, power, 0) + (c if kind == 2 else 0)
    return np.where(x >= d, power + (e if kind == 4 else 0), c * x + (f if kind == 4 else 0))

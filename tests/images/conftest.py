"""Files that Pillow does not write: deep PNG with every filter, ICC profiles."""

import struct
import zlib

import numpy as np
import pytest


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def filtered(lines: np.ndarray, step: int) -> bytes:
    """Lines of bytes with the filters 0 to 4 of PNG, in turn."""
    made = bytearray()
    above = np.zeros(lines.shape[1], dtype=int)
    for k, line in enumerate(lines.astype(int)):
        left = np.concatenate([np.zeros(step, dtype=int), line[:-step]])
        corner = np.concatenate([np.zeros(step, dtype=int), above[:-step]])
        guess = left + above - corner
        far = [abs(guess - n) for n in (left, above, corner)]
        nearest = np.where((far[0] <= far[1]) & (far[0] <= far[2]), left,
                           np.where(far[1] <= far[2], above, corner))  # fmt: skip
        predicted = [0 * line, left, above, (left + above) // 2, nearest][k % 5]
        made += bytes([k % 5]) + ((line - predicted) % 256).astype(np.uint8).tobytes()
        above = line
    return bytes(made)


@pytest.fixture
def deep_png():
    """(path, pixels (H, W, C) uint16, further chunks) -> the path of a 16-bit PNG."""

    def write(path, pixels, *chunks, interlaced=False):
        height, width, channels = pixels.shape
        colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        passes = [(0, 0, 1, 1)]
        if interlaced:
            passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                      (1, 0, 2, 2), (0, 1, 1, 2)]  # fmt: skip
        data = b""
        for left, top, across, down in passes:
            part = pixels[top::down, left::across].astype(">u2")
            data += filtered(part.reshape(len(part), -1).view(np.uint8), 2 * channels)
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, interlaced))
            + b"".join(chunk(*pair) for pair in chunks)
            + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b"")
        )
        return path

    return write


ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of version 2 with these tags beside the ones that every profile must have."""
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": white, **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    connection = b"Lab " if b"A2B0" in tags else b"XYZ "
    device = b"prtr" if b"A2B0" in tags else b"mntr"
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"lcms", 0x02100000, device, space,
                       connection)  # fmt: skip
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + table + data


def gamma(power: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256)) + b"\0\0"


def sampled(values: np.ndarray) -> bytes:
    levels = np.round(values * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(levels)) + levels.tobytes()


def parametric(kind: int, *numbers: float) -> bytes:
    fixed = [round(n * 65536) for n in numbers]
    return b"para\0\0\0\0" + struct.pack(f">HH{len(fixed)}i", kind, 0, *fixed)


def matrix_profile(columns, curve: bytes) -> bytes:
    tags = {}
    for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
        fixed = [round(n * 65536) for n in column]
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + struct.pack(">3i", *fixed)
        tags[name + b"TRC"] = curve
    return icc(b"RGB ", tags)


def table_profile(space: bytes, table, back=None) -> bytes:
    """Profile of 8-bit tables: ``table`` (2, ..., 2, 3) of Lab bytes at the corners."""
    tags = {b"A2B0": _lut(np.asarray(table))}
    if back is not None:
        tags[b"B2A0"] = _lut(np.asarray(back))
    return icc(space, tags)


def _lut(table: np.ndarray) -> bytes:
    inputs, outputs = table.ndim - 1, table.shape[-1]
    head = b"mft1\0\0\0\0" + bytes([inputs, outputs, 2, 0])
    head += struct.pack(">9i", *(65536 * n for n in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    ramp = bytes(range(256))
    return head + ramp * inputs + table.astype(np.uint8).tobytes() + ramp * outputs


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PROFILES = {
    "adobe": matrix_profile(ADOBE, gamma(2.19921875)),
    "p3": matrix_profile(P3, SRGB_CURVE),
    "sampled": matrix_profile(ADOBE, sampled(np.linspace(0, 1, 300) ** 1.8)),
    "linear": matrix_profile(P3, b"curv\0\0\0\0\0\0\0\0"),
    "kind1": matrix_profile(ADOBE, parametric(1, 2.0, 0.9, 0.1)),
    "kind4": matrix_profile(
        ADOBE, parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0)
    ),
}
GREY = icc(b"GRAY", {b"kTRC": gamma(1.8)})


@pytest.fixture(params=PROFILES)
def profile(request) -> bytes:
    return PROFILES[request.param]

"""Bad files: one line that names the argument, what came and what is accepted, and no harm done."""

import os
import re
import socket
import struct
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from deqir_lite._json import read_object, write_json
from deqir_lite.images import allow_pixels, files, load_photo, read_photo, save_image, write_photo
from deqir_lite.images.folders import read_photos
from deqir_lite.operators.kernel_files import load_kernel
from deqir_lite.operators.mask_files import load_mask

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)
HALF = np.repeat([[0, 255]], 8, axis=0).repeat(4, axis=1).astype(np.uint8)


def written(name, content):
    """A maker of a file: bytes, text, or a function of its path."""

    def make(folder):
        path = folder / name
        if callable(content):
            content(path)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            path.write_bytes(content)
        return path

    return make


def picture(name, pixels=PIXELS, **options):
    return written(name, lambda path: Image.fromarray(pixels).save(path, **options))


def array(name, values):
    return written(name, lambda path: np.save(path, values, allow_pickle=True))


def tiff(values, **options):
    return written("a.tif", lambda path: tifffile.imwrite(path, values, **options))


def listen(path):
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(path.parent)  # such names have at most 107 bytes
    try:
        server.bind(path.name)
    finally:
        os.chdir(here)
        server.close()


def png_of(width, height, data=b"\0" * 100):
    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b""))  # fmt: skip


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)

# what no photo, mask or kernel is: (make, what the line says); {} is the kind of file
FILES = {
    "missing": (lambda folder: folder / "gone.png", "no {} '.*gone\\.png'"),
    "in a file": (lambda folder: picture("a.png")(folder) / "b.png", "no {} '.*b\\.png'"),
    "broken link": (written("a.png", lambda p: p.symlink_to("nowhere")), "no {} "),
    "loop": (written("a.png", lambda p: p.symlink_to(p)), "cannot be opened"),
    "folder": (lambda folder: folder, "is a folder; expected a {}"),
    "folder named png": (written("a.png", lambda p: p.mkdir()), "is a folder; expected a {}"),
    "pipe": (written("a.png", os.mkfifo), "is a named pipe; expected a {} in a regular file"),
    "link to a pipe": (
        written("a.png", lambda p: (os.mkfifo(p.parent / "f"), p.symlink_to("f"))),
        "is a named pipe",
    ),
    "zeros": (lambda folder: "/dev/zero", "is a device; expected a {} in a regular file"),
    "nothing": (lambda folder: "/dev/null", "is a device"),
    "link to zeros": (written("a.png", lambda p: p.symlink_to("/dev/zero")), "is a device"),
    "socket": (written("a.png", listen), "is a socket"),
    "long name": (lambda folder: folder / ("a" * 300 + ".png"), "cannot be opened \\(File name"),
    "null byte": (lambda folder: "a\0.png", "cannot be opened \\(embedded null"),
    "empty name": (lambda folder: "", "got ''; expected the path of a {}"),
    "no path": (lambda folder: None, "got None; expected the path of a {}"),
    "number": (lambda folder: 3, "got 3; expected the path of a {}"),
    "array": (lambda folder: np.zeros(2), "got array.*expected the path of a {}"),
    "list": (lambda folder: ["a.png"], "got \\['a.png'\\]; expected the path"),
}
PICTURES = {
    "empty": (written("a.png", b""), "\\(the file is empty\\)"),
    "text": (written("a.png", "hello\nworld"), "its content is of none of PNG, JPEG"),
    "EPS": (written("a.png", EPS), "it is an EPS or PostScript drawing; expected pixels"),
    "EPS for Windows": (written("a.jpg", b"\xc5\xd0\xd3\xc6" + EPS), "it is an EPS drawing"),
    "PDF": (written("a.png", b"%PDF-1.7\n"), "it is a PDF document"),
    "SVG": (written("a.png", b"<svg xmlns=''/>"), "it is an SVG drawing"),
    "XML": (written("a.png", b"\xef\xbb\xbf<?xml version='1.0'?>"), "it is an XML document"),
    "WMF": (written("a.png", b"\xd7\xcd\xc6\x9a\0\0" + bytes(60)), "its content is of none of"),
    "ICNS": (written("a.png", b"icns" + bytes(60)), "its content is of none of"),
    "PSD": (written("a.png", b"8BPS\0\1" + bytes(60)), "its content is of none of"),
    "FITS": (written("a.png", b"SIMPLE  =                    T" + bytes(60)), "of none of"),
    "MPEG": (written("a.png", b"\0\0\1\xb3" + bytes(60)), "its content is of none of"),
    "TGA": (written("a.png", bytes([0, 0, 2]) + bytes(9) + b"\x08\0\x08\0\x18\0"), "of none of"),
    "zip": (written("a.png", b"PK\3\4" + bytes(60)), "its content is of none of"),
    "HEIC": (written("a.heic", HEIC), "HEIC needs the package pillow-heif|it is HEIC, but damaged"),
    "HEIC named jpg": (written("a.jpg", HEIC), "HEIC"),
    "signature": (written("a.png", b"\x89PNG\r\n\x1a\n"), "no readable {} "),
    "truncated": (written("a.png", png_of(64, 64)[:-20]), "no readable {} "),
    "too little": (written("a.png", png_of(64, 64)), "no readable {} "),
    "bomb": (
        written("a.png", png_of(50000, 50000)),
        "has 2500000000 pixels, above the limit of 178956970.*--max-pixels",
    ),
    "TIFF bomb": (written("a.tif", lambda path: huge(path)), "above the limit of 178956970"),
    "raw by name": (picture("a.dng", format="TIFF"), "is a camera's raw file; expected a dev"),
    "raw by content": (
        tiff(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subfiletype=1),
        "begins with a thumbnail",
    ),
    "integers of 32 bits": (tiff(np.ones((8, 8), np.uint32)), "a\\.tif"),
    "signed integers": (tiff(np.ones((8, 8), np.int16)), "a\\.tif"),
    "complex": (tiff(np.ones((8, 8), np.complex64)), "a\\.tif"),
    "premultiplied": (
        tiff(np.ones((8, 8, 4), np.uint16), photometric="rgb", extrasamples="assocalpha"),
        "has colours multiplied by alpha; save it with straight alpha",
    ),
    "LAB": (
        written("a.tif", lambda p: Image.new("LAB", (8, 8)).save(p)), "Pillow's mode 'LAB'; exp"
    ),
    "deep text": (
        written("a.ppm", "P3 8 8 1023\n" + "9 " * 192), "a PPM in text with more than 8 bits"
    ),
    "short ppm": (written("a.ppm", b"P6 8 8 1023\n" + bytes(99)), "no readable {} "),
}  # fmt: skip
PHOTOS = {
    "small": (picture("a.png", PIXELS[:7]), "has 14x7 pixels; expected at least 8x8"),
    "small float": (
        tiff(np.zeros((7, 9, 3), np.float32), photometric="rgb"), "has 9x7 pixels; expected"
    ),
    "bright floats": (
        tiff(np.full((8, 8, 3), 255, np.float32), photometric="rgb"),
        "has values from 255 to 255; expected \\[0, 1\\]",
    ),
    "dark floats": (tiff(np.full((8, 8), -1, np.float32)), "has values from -1 to -1"),
    "NaN": (tiff(np.full((8, 8), np.nan, np.float32)), "has values from nan to nan"),
}  # fmt: skip
MASKS = {
    "black": (picture("a.png", 0 * HALF), "is black: it keeps no pixel \\(white means the hole\\?"),
    "ones": (picture("a.png", 0 * HALF + 1), "is black: it keeps no pixel"),
    "white": (picture("a.png", 0 * HALF + 255), "masks no pixel: none is black \\(white means"),
    "1-bit white": (picture("a.png", np.ones((8, 8), bool)), "masks no pixel"),
    "photo": (
        picture("a.png", np.random.default_rng(1).integers(60, 190, (16, 16), dtype=np.uint8)),
        "looks like a photo: 100% of its pixels are neither black nor white",
    ),
    "labels": (
        picture("a.png", np.arange(64, dtype=np.uint8).reshape(8, 8) % 5),
        "has 5 values from 0 to 4 of 255; expected black and white, or two values",
    ),
    "grey and alpha": (
        picture("a.png", np.stack([HALF, HALF.T], axis=-1)),
        "varies in grey and in alpha.*say which is a hole \\(--hole\\): black",
    ),
    "CMYK": (
        written("a.tif", lambda p: Image.new("CMYK", (8, 8)).save(p)),
        "is a CMYK picture; expec",
    ),
    "NaN": (tiff(np.full((8, 8), np.nan, np.float32)), "holds NaN or infinity; expected black"),
}
KERNELS = {
    "zeros": (array("k.npy", np.zeros((3, 3))), "is all zero; expected a tap that is not"),
    "black": (picture("k.png", np.zeros((3, 3), np.uint8)), "is all zero"),
    "zero text": (written("k.txt", "0 0\n0 0"), "is all zero"),
    "negative": (array("k.npy", -np.ones((3, 3))), "has taps of sum -9; expected a positive sum"),
    "sum of zero": (array("k.npy", np.array([[1.0, -1.0]])), "has taps of sum 0; expected a pos"),
    "nearly zero": (array("k.npy", np.array([[0.1, 0.2, -0.3]])), "expected a positive sum"),
    "NaN": (array("k.npy", np.full((3, 3), np.nan)), "holds NaN or infinity; expected finite"),
    "infinite text": (written("k.txt", "1 inf\n0 1"), "holds NaN or infinity"),
    "1-D": (array("k.npy", np.ones(3)), "has shape \\(3,\\); expected 2-D, rows and columns"),
    "3-D": (array("k.npy", np.ones((3, 3, 3))), "has shape \\(3, 3, 3\\); expected 2-D"),
    "0-D": (array("k.npy", np.float64(1)), "expected 2-D"),
    "no rows": (array("k.npy", np.ones((0, 3))), "k\\.npy"),
    "complex": (array("k.npy", np.ones((3, 3), complex)), "holds complex128; expected an array of"),
    "text array": (array("k.npy", np.array([["a"]])), "holds <U1; expected an array of real"),
    "records": (array("k.npy", np.zeros((2, 2), [("a", "f4")])), "expected an array of real"),
    "objects": (array("k.npy", np.array([[None]])), "is no readable .npy file \\("),
    "npz named npy": (
        written("k.npy", lambda p: np.savez(p.open("wb"), np.ones((3, 3)))), "holds NpzFile; exp"
    ),
    "no npy": (written("k.npy", b"hello"), "is no readable .npy file \\("),
    "empty npy": (written("k.npy", b""), "is no readable .npy file \\("),
    "cut npy": (
        written("k.npy", lambda p: (np.save(p, np.ones((9, 9))), os.truncate(p, 300))),
        "is no readable .npy file \\(",
    ),
    "npy bomb": (
        written("k.npy", b"\x93NUMPY\1\0\x76\0{'descr': '<f8', 'fortran_order': False, 'shape': "
                b"(999999, 999999), }".ljust(128)), "is no readable .npy file \\("),
    "huge": (
        written("k.npy", lambda p: (p.touch(), os.truncate(p, 2**26 + 1))), "has more than 64 MB"
    ),
    "words": (written("k.txt", "a b\nc d"), "holds no numbers only \\(could not convert"),
    "ragged": (written("k.txt", "1 2\n3\n"), "has rows of 1, 2 numbers; expected rows of one"),
    "no text": (written("k.txt", ""), "has rows of no numbers"),
    "comments": (written("k.csv", "# nothing\n"), "has rows of no numbers"),
    "decimal commas": (written("k.txt", "0,1 0,2\n0,3 0,4"), "mixes commas and other separators"),
    "European": (written("k.csv", "0,1;0,2\n0,3;0,4"), "mixes commas and other separators; exp"),
    "missing field": (written("k.csv", "1,,2\n3,4,5"), "holds no numbers only"),
    "bytes": (written("k.txt", b"\xff\xfe1 2"), "is no readable text"),
    "MATLAB": (written("k.mat", b"MATLAB 5.0"), "ends in '.mat'; expected .png, .jpg"),
    "npz": (written("k.npz", b"PK"), "ends in '.npz'; expected .*\\.npy"),
    "no ending": (written("kernel", "1 2"), "ends in ''; expected"),
    "colour": (picture("k.png", PIXELS), "is in colour; expected a grey picture"),
    "transparent": (
        picture("k.png", np.stack([HALF, HALF], axis=-1)), "has transparent pixels; expected an"
    ),
    "CMYK": (written("k.tif", lambda p: Image.new("CMYK", (8, 8)).save(p)), "is a CMYK picture"),
}  # fmt: skip


def huge(path):
    """A TIFF that claims to have 60,000 pixels a side."""
    tifffile.imwrite(path, np.zeros((8, 8, 3), np.float32), photometric="rgb")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for tag in (256, 257):
            place = file.pages.first.tags[tag].valueoffset
            size = 2 if file.pages.first.tags[tag].dtype == 3 else 4
            data[place : place + size] = (60000).to_bytes(size, "little")
    path.write_bytes(data)


CASES = [
    (reader, name, make, message)
    for reader, tables in {
        "photo": (FILES, PICTURES, PHOTOS),
        "mask": (FILES, PICTURES, MASKS),
        "kernel": (FILES, KERNELS),
    }.items()
    for table in tables
    for name, (make, message) in table.items()
]
READERS = {"photo": ("path", load_photo), "mask": ("mask", load_mask),
           "kernel": ("kernel", load_kernel)}  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "make", "message"),
    [(reader, make, message) for reader, _, make, message in CASES],
    ids=[f"{reader}: {name}" for reader, name, _, _ in CASES],
)
def test_bad_files(tmp_path, reader, make, message):
    argument, read = READERS[reader]
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        read(path)
    line = str(caught.value)
    assert line.startswith(f"{argument}: ")
    assert "\n" not in line
    assert re.search(message.format(reader), line), line
    assert sorted(tmp_path.iterdir()) == before


def test_there_are_enough_of_them():
    assert len(CASES) >= 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 7}, "size: got 7; expected an integer >= 8"),
        ({"size": 2.0}, "size: got 2.0"),
        ({"hole": "grey"}, "hole: unknown value 'grey'; known: auto, black, white, transparent"),
        ({"hole": None}, "hole: unknown value None"),
        ({"hole": "transparent"}, "has no alpha; hole 'transparent' needs one, try black or white"),
        ({"hole": "opaque"}, "has no alpha; hole 'opaque' needs one"),
    ],
)
def test_bad_mask_options(tmp_path, options, message):
    path = picture("a.png", HALF)(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_mask(path, **options)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((2, 9), "kernel: '.*' has 3x3 taps, more than the photo's 9x2 pixels"),
        ((9, 2), "more than the photo's 2x9 pixels"),
        ((9,), "image_size: got \\(9,\\); expected two positive integers"),
    ],
)
def test_a_kernel_larger_than_the_photo(tmp_path, size, message):
    path = array("k.npy", np.full((3, 3), 1 / 9))(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_kernel(path, image_size=size)


@pytest.mark.parametrize("most", [0, -1, 2.5, "9", True, None])
def test_bad_limits(most):
    with pytest.raises(ValueError, match=r"max_pixels: got .*; expected an integer >= 1"):
        allow_pixels(most)


def test_the_limit_can_be_moved(tmp_path, monkeypatch):
    path = picture("a.png")(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match="has 140 pixels, above the limit of 20, as"):
        load_photo(path)
    allow_pixels(138)
    with pytest.raises(ValueError, match="above the limit of"):
        load_photo(path)
    allow_pixels(140)
    assert load_photo(path).shape == (1, 3, 10, 14)


@pytest.mark.parametrize("write", [save_image, None])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_replaced(tmp_path, write, kind):
    path = tmp_path / "a.png"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/null")
    photo = read_photo(picture("b.png")(tmp_path))
    with pytest.raises(ValueError, match=r"path: .*a\.png' is a pipe or a device; expected a file"):
        save_image(path, photo.image) if write else write_photo(path, photo.image, photo)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(1, 1, 8, 8), "image: got shape"),
        (torch.zeros(8, 8), "image: got shape"),
        (torch.zeros(0, 3, 8, 8), "image: got shape"),
        (torch.zeros(3, 0, 8), "image: got shape"),
        (torch.full((3, 8, 8), torch.nan), "image: contains NaN"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "image: got dtype torch.uint8"),
        (np.zeros((3, 8, 8)), "image: got ndarray; expected a torch.Tensor"),
        (None, "image: got NoneType"),
    ],
)
def test_bad_images_to_write(tmp_path, image, message):
    photo = read_photo(picture("a.png")(tmp_path))
    with pytest.raises(ValueError, match=re.escape(message)):
        write_photo(tmp_path / "b.png", image, photo)
    with pytest.raises(ValueError, match=r"path ending: unknown value '\.gif'"):
        write_photo(tmp_path / "b.gif", photo.image, photo)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("path", [None, 3, ["a.png"]])
def test_no_paths_to_write_to(tmp_path, path):
    photo = read_photo(picture("a.png")(tmp_path))
    for write in (
        lambda: save_image(path, photo.image),
        lambda: write_photo(path, photo.image, photo),
    ):
        with pytest.raises(ValueError, match=r"^path: got .*; expected the path of a picture"):
            write()


@pytest.mark.parametrize("mode", ["I", "I;16", "F"])
def test_deep_pictures_of_pillow_are_not_clipped(tmp_path, mode):
    with pytest.raises(ValueError, match=f"image: got a picture of Pillow's mode {mode}; expected"):
        save_image(tmp_path / "a.png", Image.new(mode, (8, 8), 300))


def test_an_eps_named_png_starts_nothing(tmp_path, monkeypatch):
    import subprocess

    def started(*arguments, **options):
        raise AssertionError("a program was started")

    for name in ("Popen", "check_call", "run"):
        monkeypatch.setattr(subprocess, name, started)
    with pytest.raises(ValueError, match="it is an EPS"):
        load_photo(written("a.png", EPS)(tmp_path))


def test_heic_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)  # a test before had it
    with pytest.raises(ValueError, match=r"pillow-heif: pip install 'deqir-lite\[heic\]'\)$"):
        load_photo(written("a.heic", HEIC)(tmp_path))


def test_heic_with_its_package(tmp_path, monkeypatch):
    """The opener of pillow-heif is registered once such a file comes."""
    asked = []
    module = SimpleNamespace(register_heif_opener=lambda: asked.append(True))
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    with pytest.raises(ValueError, match="no readable photo"):
        load_photo(written("a.heic", HEIC)(tmp_path))
    load_photo(picture("a.png")(tmp_path))
    assert asked == [True]
    assert "HEIF" in files.RASTER_FORMATS


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_of_a_phone(tmp_path, orientation):
    pillow_heif = pytest.importorskip("pillow_heif")
    rows, columns = np.mgrid[:48, :64]
    taken = Image.fromarray(np.stack([columns * 4, rows * 5, rows + 99], -1).astype(np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    pillow_heif.from_pillow(taken).save(tmp_path / "a.heic", quality=95, exif=exif.tobytes())
    upright = taken if orientation == 1 else taken.transpose(Image.Transpose.ROTATE_270)
    levels = (load_photo(tmp_path / "a.heic") + 1) * 127.5
    expected = torch.from_numpy(np.array(upright)).movedim(-1, 0)[None]
    assert levels.shape == expected.shape
    assert (levels - expected).abs().max() <= 6  # HEVC is lossy


def test_bad_files_in_a_folder_are_skipped_and_counted(tmp_path):
    picture("good.png")(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    written("drawing.png", EPS)(tmp_path)
    written("phone.heic", HEIC)(tmp_path)
    (tmp_path / "folder.png").mkdir()  # is a folder, and holds nothing
    with pytest.warns(UserWarning, match="skipped 3 unreadable or tiny files"):
        found = list(read_photos(tmp_path))
    assert [path.name for path, _ in found] == ["good.png"]


def test_names_that_are_not_utf_8_fit_into_json(tmp_path):
    name = b"\xff\xe9.png".decode(errors="surrogateescape")
    path = write_json(tmp_path / "a.json", {"photo": name})
    path.read_bytes().decode()
    assert read_object(path, name="a")["photo"] == name

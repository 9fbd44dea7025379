"""More than 8 bits a channel: nothing is cut on the way in or out."""

import struct

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from deqir_lite.images import load_photo, read_photo, write_photo


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (9, 12, 3)).astype(np.uint16)


def as_tensor(unit: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(unit.astype(np.float64)).permute(2, 0, 1)[None] * 2 - 1


def assert_read(path, values: np.ndarray, white: float = 65535, **options) -> None:
    found = load_photo(path, dtype=torch.float64, **options)
    expected = as_tensor(values / white).expand(1, 3, -1, -1)
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize("interlaced", [False, True])
def test_png_in_colour(tmp_path, deep_png, pixels, interlaced):
    assert_read(deep_png(tmp_path / "a.png", pixels, interlaced=interlaced), pixels)


def test_png_cropped(tmp_path, deep_png, pixels):
    assert_read(deep_png(tmp_path / "a.png", pixels), pixels[:, 1:10], size=9)


def test_png_in_grey(tmp_path, deep_png, pixels):
    assert_read(deep_png(tmp_path / "a.png", pixels[..., :1]), pixels[..., :1])


@pytest.mark.parametrize("channels", [2, 4])
def test_png_with_alpha(tmp_path, deep_png, channels):
    values = np.random.default_rng(1).integers(1, 65536, (8, 9, channels)).astype(np.uint16)
    photo = read_photo(deep_png(tmp_path / "a.png", values), dtype=torch.float64)
    unit = as_tensor(values / 65535)
    torch.testing.assert_close(photo.image, unit[:, :-1].expand(1, 3, 8, 9), atol=1e-14, rtol=0)
    torch.testing.assert_close(photo.alpha, (unit[:, -1:] + 1) / 2, atol=1e-14, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_with_one_transparent_colour(tmp_path, deep_png, pixels, channels):
    values = pixels[..., :channels].copy()
    values[3, 4] = range(300, 300 + channels)
    close = values[3, 4] + 1  # the same in 8 bits
    values[5, 6] = close
    colour = struct.pack(f">{channels}H", *values[3, 4])
    photo = read_photo(deep_png(tmp_path / "a.png", values, (b"tRNS", colour)))
    assert photo.alpha[0, 0, 3, 4] == 0
    assert int((photo.alpha == 0).sum()) == 1


def test_png_turned_by_exif(tmp_path, deep_png, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = deep_png(tmp_path / "a.png", pixels, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    assert_read(path, np.rot90(pixels, -1))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("turn", [1, 6])
def test_tiff(tmp_path, order, compression, planes, channels, turn):
    values = np.random.default_rng(2).integers(1, 65536, (8, 11, channels)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", values.transpose(2, 0, 1) if planes == "separate" else values,
        photometric="rgb", byteorder=order, compression=compression, planarconfig=planes,
        extrasamples="unassalpha" if channels == 4 else None, extratags=[(274, 3, 1, turn, True)],
    )  # fmt: skip
    photo = read_photo(tmp_path / "a.tif", dtype=torch.float64)
    unit = as_tensor((np.rot90(values, -1) if turn == 6 else values) / 65535)
    torch.testing.assert_close(photo.image, unit[:, :3], atol=1e-14, rtol=0)
    assert photo.depth == "uint16"
    assert photo.frame.stored == (8, 11)
    assert photo.frame.orientation == turn
    if channels == 4:
        torch.testing.assert_close(photo.alpha, (unit[:, 3:] + 1) / 2, atol=1e-14, rtol=0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_float_tiff(tmp_path, dtype, channels):
    values = np.random.default_rng(3).uniform(0.001, 1, (8, 11, channels)).astype(dtype)
    tifffile.imwrite(
        tmp_path / "a.tif", values[..., 0] if channels == 1 else values,
        photometric="minisblack" if channels == 1 else "rgb",
        extrasamples="unassalpha" if channels == 4 else None, extratags=[(274, 3, 1, 6, True)],
    )  # fmt: skip
    photo = read_photo(tmp_path / "a.tif", dtype=torch.float64)
    unit = as_tensor(np.rot90(values, -1))
    expected = (unit[:, :3] if channels > 1 else unit).expand(1, 3, 11, 8)
    torch.testing.assert_close(photo.image, expected, atol=1e-7, rtol=0)
    assert photo.depth == "float32"
    assert photo.frame.stored == (8, 11)
    assert photo.frame.orientation == 6


def test_twelve_bits_reach_white(tmp_path):
    values = np.arange(88).reshape(8, 11) * 47
    row = np.zeros((8, 12), dtype=int)
    row[:, :11] = values
    pairs = row.reshape(8, 6, 2)
    packed = np.stack(
        [pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255],
        -1,
    )
    data = packed.astype(np.uint8).reshape(8, 18)[:, :17].tobytes()  # rows end at whole bytes
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in {256: 11, 257: 8, 258: 12, 259: 1, 262: 1, 277: 1, 278: 8, 279: len(data),
                       273: 0}.items():  # fmt: skip
        tags[tag] = value
    with (tmp_path / "a.tif").open("wb") as file:
        tags.save(file)
        file.write(data)
    assert_read(tmp_path / "a.tif", values[..., None], 4095)


def test_white_is_zero(tmp_path, pixels):
    tifffile.imwrite(tmp_path / "a.tif", pixels[..., 0], photometric="miniswhite")
    assert_read(tmp_path / "a.tif", 65535 - pixels[..., :1])


def test_a_channel_that_is_no_alpha_is_left_out(tmp_path, pixels):
    values = np.concatenate([pixels, pixels[..., :1]], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples="unspecified")
    assert_read(tmp_path / "a.tif", pixels)


@pytest.mark.parametrize("most", [1023, 65535])
def test_ppm(tmp_path, pixels, most):
    values = (pixels.astype(int) % (most + 1)).astype(np.uint16)
    head = b"P6\n# photo\n12 9\n%d\n" % most
    (tmp_path / "a.ppm").write_bytes(head + values.astype(">u2").tobytes())
    assert_read(tmp_path / "a.ppm", values, most)


def test_signed_or_wide_integers_are_refused(tmp_path):
    for dtype in (np.int16, np.uint32, np.int32):
        tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 8), dtype), photometric="minisblack")
        with pytest.raises(ValueError, match=r"path: .*a\.tif"):
            load_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_come_back(tmp_path, deep_png, ending, channels):
    values = np.random.default_rng(4).integers(1, 65536, (9, 12, channels)).astype(np.uint16)
    photo = read_photo(deep_png(tmp_path / "a.png", values), dtype=torch.float64)
    copy = write_photo(tmp_path / f"b.{ending}", photo.image, photo)
    again = read_photo(copy, dtype=torch.float64)
    assert again.depth == "uint16"
    torch.testing.assert_close(again.image, photo.image, atol=1e-14, rtol=0)
    if channels == 4:
        torch.testing.assert_close(again.alpha, photo.alpha, atol=1e-14, rtol=0)
    if ending == "tif":
        assert np.array_equal(tifffile.imread(copy), values)


@pytest.mark.parametrize("channels", [3, 4])
def test_floats_come_back(tmp_path, channels):
    values = np.random.default_rng(5).uniform(0.01, 1, (9, 12, channels)).astype(np.float32)
    extra = "unassalpha" if channels == 4 else None
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=extra)
    photo = read_photo(tmp_path / "a.tif", dtype=torch.float64)
    copy = write_photo(tmp_path / "b.tif", photo.image, photo)
    np.testing.assert_allclose(tifffile.imread(copy), values, atol=1e-7)
    with pytest.warns(UserWarning, match=r"float32 values; \.png holds uint16"):
        deep = write_photo(tmp_path / "b.png", photo.image, photo)
    assert abs(read_photo(deep).image - photo.image).max() < 1 / 65535


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_what_the_format_cannot_hold_is_said(tmp_path, deep_png, pixels, ending):
    photo = read_photo(deep_png(tmp_path / "a.png", pixels))
    with pytest.warns(UserWarning, match=rf"uint16 values; \.{ending} holds uint8"):
        write_photo(tmp_path / f"b.{ending}", photo.image, photo)


def test_deep_formats_that_pillow_cuts_are_said(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
    Image.fromarray(smooth).save(tmp_path / "a.jp2")
    data = bytearray((tmp_path / "a.jp2").read_bytes())
    place = data.find(b"\xff\x4f\xff\x51")
    from deqir_lite.images.decoding import _bits

    with Image.open(tmp_path / "a.jp2") as picture:
        assert _bits(picture, tmp_path / "a.jp2") == 8
        data[place + 42] = 11
        (tmp_path / "b.jp2").write_bytes(data)
        assert _bits(picture, tmp_path / "b.jp2") == 12

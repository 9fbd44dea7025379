"""Photos in all the forms that people have, and pictures out."""

import contextlib
import os
import stat

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deqir_lite.images import (
    in_rows,
    load_photo,
    save_image,
    side_by_side,
    to_picture,
    to_uint8,
    to_unit_range,
)


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)[None] / 127.5 - 1


def write(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_rgb_is_read_exactly(tmp_path, rgb, ending):
    photo = load_photo(write(tmp_path / f"a.{ending}", rgb), dtype=torch.float64)
    assert photo.shape == (1, 3, 12, 16)
    torch.testing.assert_close(photo, as_tensor(rgb), atol=1e-14, rtol=0)


def test_jpeg_is_read_nearly(tmp_path):
    smooth = np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[:, None, None], 32, 1).repeat(3, 2)
    photo = load_photo(write(tmp_path / "a.jpg", smooth, quality=95), dtype=torch.float64)
    assert (photo - as_tensor(smooth)).abs().max() < 0.05


def test_dtype_range_and_path_as_text(tmp_path, rgb):
    photo = load_photo(str(write(tmp_path / "a.png", rgb)))
    assert photo.dtype == torch.float32
    assert photo.is_contiguous()
    assert photo.min() >= -1
    assert photo.max() <= 1


def test_grey_becomes_three_equal_channels(tmp_path, rgb):
    photo = load_photo(write(tmp_path / "a.png", rgb[..., 0]), dtype=torch.float64)
    torch.testing.assert_close(
        photo, as_tensor(rgb[..., :1]).expand(1, 3, 12, 16), atol=1e-14, rtol=0
    )


def test_black_and_white_photo(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
    photo = load_photo(tmp_path / "a.png")
    assert torch.equal(photo[0, 0], 2 * torch.eye(8) - 1)


def test_transparent_pixels_lie_on_white(tmp_path, rgb):
    alpha = np.zeros((12, 16, 1), dtype=np.uint8)
    alpha[:, 5:] = 255
    alpha[:, 10:] = 102
    photo = load_photo(write(tmp_path / "a.png", np.concatenate([rgb, alpha], 2)))
    opacity = torch.from_numpy(alpha / 255).permute(2, 0, 1)[None]
    expected = as_tensor(rgb) * opacity + (1 - opacity)
    torch.testing.assert_close(photo.double(), expected, atol=1e-6, rtol=0)


def test_grey_with_transparency(tmp_path, rgb):
    grey_alpha = np.stack([rgb[..., 0], np.zeros_like(rgb[..., 0])], axis=-1)
    photo = load_photo(write(tmp_path / "a.png", grey_alpha))
    assert torch.equal(photo, torch.ones_like(photo))


def test_palette_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "a.png", transparency=0)
    photo = load_photo(tmp_path / "a.png")
    assert photo[0, :, 0, 0].tolist() == [1, 1, 1]
    assert photo[0, :, 1, 1].tolist() == [1, -1, -1]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_keep_their_precision(tmp_path, ending):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    photo = load_photo(write(tmp_path / f"a.{ending}", grey), dtype=torch.float64)
    expected = torch.from_numpy(grey / 32767.5 - 1).expand(1, 3, 8, 8)
    torch.testing.assert_close(photo, expected, atol=1e-12, rtol=0)


def test_big_endian_sixteen_bits(tmp_path):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.frombytes("I;16B", (8, 8), grey.astype(">u2").tobytes()).save(tmp_path / "a.tif")
    photo = load_photo(tmp_path / "a.tif", dtype=torch.float64)
    torch.testing.assert_close(photo[0, 1], torch.from_numpy(grey / 32767.5 - 1))


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, turn):
    pixels = np.zeros((8, 10, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = load_photo(write(tmp_path / "a.png", pixels, exif=exif))[0, 0]
    assert photo.shape == ((8, 10) if turn < 5 else (10, 8))
    row, column = {
        1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0),
        5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0),
    }[turn]  # fmt: skip
    assert photo[row, column] == 1


def test_size_crops_the_centre(tmp_path, rgb):
    photo = load_photo(write(tmp_path / "a.png", rgb), size=12, dtype=torch.float64)
    torch.testing.assert_close(photo, as_tensor(rgb[:, 2:14]), atol=1e-14, rtol=0)


def test_size_crops_the_centre_of_a_portrait(tmp_path, rgb):
    upright = rgb.transpose(1, 0, 2)
    photo = load_photo(write(tmp_path / "a.png", upright), size=12, dtype=torch.float64)
    torch.testing.assert_close(photo, as_tensor(upright[2:14]), atol=1e-14, rtol=0)


def test_size_resizes_without_aliasing(tmp_path):
    checkerboard = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    photo = load_photo(write(tmp_path / "a.png", checkerboard), size=16)
    assert photo.shape == (1, 3, 16, 16)
    assert photo[..., 2:-2, 2:-2].abs().max() < 0.02  # grey: nearest neighbours give +-1


def test_resized_edges_stay_in_range(tmp_path):
    half = np.zeros((64, 64), dtype=np.uint8)
    half[:, 33:] = 255
    for size in (24, 100):
        photo = load_photo(write(tmp_path / "a.png", half), size=size)
        assert photo.abs().max() <= 1
        assert photo.abs().max() == 1


@pytest.mark.parametrize("size", [0, -4, 7, 2.5, "64", True])
def test_bad_size(tmp_path, rgb, size):
    with pytest.raises(ValueError, match=r"size: got .* expected an integer >= 8"):
        load_photo(write(tmp_path / "a.png", rgb), size=size)


def test_integer_dtype_is_refused(tmp_path, rgb):
    with pytest.raises(ValueError, match=r"dtype: got torch\.uint8"):
        load_photo(write(tmp_path / "a.png", rgb), dtype=torch.uint8)


@pytest.mark.parametrize("shape", [(7, 100, 3), (100, 7, 3), (1, 1, 3)])
def test_tiny_photo(tmp_path, shape):
    path = write(tmp_path / "tiny.png", np.zeros(shape, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"path: .*tiny\.png.*at least 8x8"):
        load_photo(path)


def test_missing_photo(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: no photo .*gone\.png"):
        load_photo(tmp_path / "gone.png")


def test_folder_instead_of_photo(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        load_photo(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello\nworld", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"path: .*a\.png.* no readable photo") as caught:
        load_photo(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "gif"])
def test_truncated_anywhere(tmp_path, rgb, ending):
    whole = write(tmp_path / f"whole.{ending}", np.tile(rgb, (4, 4, 1))).read_bytes()
    cut = tmp_path / f"cut.{ending}"
    for part in np.linspace(0, 0.9, 10):
        cut.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(ValueError, match="no readable photo") as caught:
            load_photo(cut)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_damaged_bytes_give_a_photo_or_a_value_error(tmp_path, rgb, ending, recwarn):
    whole = bytearray(write(tmp_path / f"whole.{ending}", rgb).read_bytes())
    random = np.random.default_rng(1)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 4):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "damaged").write_bytes(damaged)
        with contextlib.suppress(ValueError):
            assert load_photo(tmp_path / "damaged").abs().max() <= 1
    assert not recwarn.list  # odd metadata alone is no reason to bother anybody


def test_more_pixels_than_any_photo(tmp_path, rgb, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ValueError, match=r"pixels, above the limit of"):
        load_photo(write(tmp_path / "a.png", rgb))


def test_unit_range_clamps():
    x = torch.tensor([-3.0, -1.0, 0.0, 1.0, 1.5], dtype=torch.float64)
    assert to_unit_range(x).tolist() == [0, 0, 0.5, 1, 1]
    assert to_unit_range(x).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_all_levels_survive_the_round_trip(dtype):
    levels = torch.arange(256).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    x = (levels.double() / 127.5 - 1).to(dtype)
    assert np.array_equal(to_uint8(x)[..., 1], levels[:, 1].numpy())


def test_uint8_shapes_and_clamping():
    assert to_uint8(torch.zeros(2, 3, 4, 5)).shape == (2, 4, 5, 3)
    assert to_uint8(torch.zeros(1, 4, 5)).shape == (4, 5, 3)
    assert to_uint8(torch.full((3, 1, 1), 9.0)).max() == 255
    assert to_uint8(torch.full((3, 1, 1), -9.0)).max() == 0


@pytest.mark.parametrize(
    "x", [torch.zeros(4, 4), torch.zeros(2, 4, 4), torch.full((3, 2, 2), torch.nan), np.zeros(3)]
)
def test_uint8_refuses(x):
    with pytest.raises(ValueError, match="x: "):
        to_uint8(x)


def test_transparent_pictures_of_pillow_lie_on_white():
    picture = to_picture(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    assert picture.getextrema() == ((255, 255),) * 3


def test_to_picture_refuses_several_images_and_odd_arrays():
    with pytest.raises(ValueError, match="expected one image"):
        to_picture(torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="expected \\(H, W, 3\\) of uint8"):
        to_picture(np.zeros((4, 4, 3)))


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_saved_png_is_read_back(tmp_path_factory, height, width, seed):
    folder = tmp_path_factory.mktemp("round")
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height + 8, width + 8, 3), dtype=np.uint8)
    path = save_image(folder / "a.png", as_tensor(pixels))
    torch.testing.assert_close(
        load_photo(path, dtype=torch.float64), as_tensor(pixels), atol=1e-14, rtol=0
    )


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_batch_is_saved_in_rows(tmp_path, ending):
    x = torch.rand(11, 3, 9, 10, generator=torch.Generator().manual_seed(0)) * 2 - 1
    path = save_image(tmp_path / f"a.{ending}", x)
    sheet = np.asarray(Image.open(path).convert("RGB"))
    assert sheet.shape == (9 + 2 + 9, 8 * 12 - 2, 3)
    levels = to_uint8(x)
    for k in range(11):
        top, left = k // 8 * 11, k % 8 * 12
        assert np.array_equal(sheet[top : top + 9, left : left + 10], levels[k])
    assert (sheet[9:11] == 255).all()
    assert (sheet[11:, 3 * 12 - 2 :] == 255).all()
    one = np.asarray(Image.open(save_image(path, x[:1])).convert("RGB"))
    assert np.array_equal(one, levels[0])


def test_a_batch_of_none(tmp_path):
    with pytest.raises(ValueError, match=r"x: got shape \(0, 3, 8, 8\)"):
        save_image(tmp_path / "a.png", torch.zeros(0, 3, 8, 8))


def test_save_clamps(tmp_path):
    save_image(tmp_path / "a.png", torch.linspace(-2, 2, 64).expand(3, 8, 64))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        assert picture.getextrema() == ((0, 255),) * 3


def test_saved_file_has_ordinary_permissions_and_no_companion(tmp_path):
    umask = os.umask(0o022)
    try:
        path = save_image(tmp_path / "a.jpg", torch.zeros(1, 3, 8, 8))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_save_into_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: no folder .*missing"):
        save_image(tmp_path / "missing" / "a.png", torch.zeros(1, 3, 8, 8))
    assert list(tmp_path.iterdir()) == []


def test_save_onto_a_folder(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        save_image(tmp_path / "a.png", torch.zeros(1, 3, 8, 8))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = save_image(tmp_path / "a.png", torch.zeros(1, 3, 8, 8))
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        save_image(path, torch.ones(1, 3, 8, 8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a", "a.exe", "a.txt"])
def test_save_unknown_ending(tmp_path, name):
    with pytest.raises(ValueError, match=r"path ending: .*known: \.png"):
        save_image(tmp_path / name, torch.zeros(1, 3, 8, 8))


def test_nothing_is_written_for_nan(tmp_path):
    with pytest.raises(ValueError, match="NaN"):
        save_image(tmp_path / "a.png", torch.full((1, 3, 8, 8), torch.nan))
    assert list(tmp_path.iterdir()) == []


def test_side_by_side_shows_every_pixel():
    x = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    sheet = np.asarray(side_by_side([x, small], ["original", "measurement"], height=30))
    assert np.array_equal(sheet[8:40, 8:40], to_uint8(x).repeat(2, 0).repeat(2, 1))
    assert np.array_equal(sheet[8:40, 48:80], to_uint8(small)[0].repeat(8, 0).repeat(8, 1))
    assert (sheet[40:] < 128).any()  # captions
    assert (sheet[:8] == 255).all()


def test_rows_of_images_are_rows_of_the_sheet():
    images = list(torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    labels = list("abcde")
    sheet = np.asarray(in_rows(images, labels, ncols=2, height=16))
    rows = [
        np.asarray(side_by_side(images[k : k + 2], labels[k : k + 2], height=16)) for k in (0, 2)
    ]
    last = np.asarray(side_by_side(images[4:], ["e"], height=16))
    assert np.array_equal(sheet[: -len(last)], np.concatenate(rows))
    assert np.array_equal(sheet[-len(last) :, : last.shape[1]], last)
    assert (sheet[-len(last) :, last.shape[1] :] == 255).all()
    with pytest.raises(ValueError, match="ncols: got 0"):
        in_rows(images, labels, ncols=0)


def test_captions_stay_under_their_images():
    images = [torch.ones(3, 64, 64), torch.ones(3, 64, 64)]
    sheet = np.asarray(side_by_side(images, ["", "word " * 60]))
    columns = np.flatnonzero((sheet < 200).any(axis=(0, 2)))
    assert columns.min() >= 8 + 192 + 8
    assert columns.max() < sheet.shape[1] - 8


@pytest.mark.parametrize(
    ("images", "labels"),
    [([], []), ([torch.ones(3, 8, 8)], ["a", "b"]), ([torch.ones(3, 8, 8)] * 8, list("abcd"))],
)
@pytest.mark.parametrize("sheet", [side_by_side, in_rows])
def test_sheets_refuse(sheet, images, labels):
    with pytest.raises(ValueError, match=f"labels: got {len(labels)} for {len(images)} images"):
        sheet(images, labels)

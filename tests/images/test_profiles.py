"""Colour profiles, against littleCMS."""

import importlib.util
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from deqir_lite.images import load_photo, read_photo, write_photo
from deqir_lite.images.profiles import Profile

_made = importlib.util.spec_from_file_location("icc_files", Path(__file__).with_name("conftest.py"))
files = importlib.util.module_from_spec(_made)
_made.loader.exec_module(files)


def by_littlecms(pixels: np.ndarray, data: bytes, mode: str = "RGB") -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(data))
    made = ImageCms.profileToProfile(
        Image.fromarray(pixels, mode), source, ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB",
    )  # fmt: skip
    return np.asarray(made).astype(int)


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def test_a_photo_is_converted_as_littlecms_does(tmp_path, colours, profile):
    path = tmp_path / "a.png"
    Image.fromarray(colours).save(path, icc_profile=profile)
    found = (load_photo(path)[0].permute(1, 2, 0).numpy() + 1) * 127.5
    expected = by_littlecms(colours, profile)
    assert abs(found - expected).max() < 1.3  # it rounds, and computes with 16 bits
    assert abs(expected - colours.astype(int)).max() > 20


def test_there_and_back_is_exact_inside_of_srgb(profile):
    found = Profile(profile)
    assert found.exact
    srgb = np.random.default_rng(1).uniform(0.1, 0.9, (8, 9, 3))
    np.testing.assert_allclose(found.to_srgb(found.from_srgb(srgb)), srgb, atol=2e-5)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
def test_the_copy_has_the_profile_and_the_colours(tmp_path, ending):
    data = files.PROFILES["p3"]
    grey_blue = np.full((8, 12, 3), (90, 120, 150), dtype=np.uint8)
    Image.fromarray(grey_blue).save(tmp_path / "a.png", icc_profile=data)
    photo = read_photo(tmp_path / "a.png")
    copy = write_photo(tmp_path / f"b.{ending}", photo.image, photo)
    with Image.open(copy) as picture:
        assert picture.info["icc_profile"] == data
        assert abs(np.asarray(picture).astype(int) - grey_blue).max() <= (ending == "jpg")


def test_deep_photos_are_converted_at_full_depth(tmp_path, deep_png):
    data = files.PROFILES["adobe"]
    values = np.random.default_rng(2).integers(20000, 40000, (9, 10, 3)).astype(np.uint16)
    path = deep_png(tmp_path / "a.png", values, (b"iCCP", b"x\0\0" + zlib.compress(data)))
    photo = read_photo(path)
    assert photo.depth == "uint16"
    coarse = np.round(values / 257).astype(np.uint8)
    Image.fromarray(coarse).save(tmp_path / "coarse.png", icc_profile=data)
    assert 0 < (photo.image - load_photo(tmp_path / "coarse.png")).abs().max() < 0.02
    copy = write_photo(tmp_path / "b.png", photo.image.double(), photo)
    again = read_photo(copy)
    assert again.metadata.profile == data
    assert (again.image - photo.image).abs().max() < 1e-4


def test_srgb_profiles_change_nothing(tmp_path, colours):
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=data)
    Image.fromarray(colours).save(tmp_path / "b.png")
    photo = read_photo(tmp_path / "a.png")
    assert (photo.image == load_photo(tmp_path / "b.png")).all()
    copy = write_photo(tmp_path / "c.png", photo.image, photo)
    with Image.open(copy) as picture:
        assert np.array_equal(np.asarray(picture), colours)
        assert picture.info["icc_profile"] == data


def test_a_grey_profile(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=files.GREY)
    photo = read_photo(tmp_path / "a.png")
    expected = by_littlecms(ramp, files.GREY, "L")
    found = (photo.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert abs(found - expected)[ramp > 8].max() < 1.3
    assert photo.metadata.profile is None  # the copy has colour, in sRGB


def test_profiles_of_tables_go_through_littlecms(tmp_path):
    inks = np.random.default_rng(3).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    corners = np.zeros((2, 2, 2, 2, 3))
    corners[..., 0] = 255 - 60 * np.indices((2, 2, 2, 2)).sum(axis=0)
    corners[..., 1:] = 128
    corners[1, ..., 1] = 90
    data = files.table_profile(b"CMYK", corners)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif", icc_profile=data)
    photo = read_photo(tmp_path / "a.tif")
    found = (photo.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert abs(found - by_littlecms(inks, data, "CMYK")).max() < 0.01
    assert photo.metadata.profile is None


def test_a_table_profile_of_rgb_has_a_way_back(tmp_path):
    corner = np.indices((2, 2, 2)).reshape(3, -1).T.reshape(2, 2, 2, 3)
    lab = np.stack([corner.mean(axis=-1) * 255, *[np.full((2, 2, 2), 128.0)] * 2], axis=-1)
    back = np.repeat(np.indices((2, 2, 2))[0][..., None] * 255, 3, axis=-1)
    found = Profile(files.table_profile(b"RGB ", lab, back))
    assert not found.exact
    assert not found.is_srgb()
    grey = np.repeat(np.linspace(0.2, 0.9, 16).reshape(2, 8, 1), 3, axis=-1)
    assert abs(found.from_srgb(found.to_srgb(grey)) - grey).max() < 0.02


def test_a_profile_without_a_way_back_is_left_out_of_the_copy(tmp_path, colours):
    lab = np.full((2, 2, 2, 3), 128) + 100 * np.indices((2, 2, 2))[0][..., None] * [1, 0, 0]
    data = files.table_profile(b"RGB ", lab)
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=data)
    photo = read_photo(tmp_path / "a.png")
    assert photo.metadata.profile is None
    found = (photo.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert abs(found - by_littlecms(colours, data)).max() < 0.01


@pytest.mark.parametrize(
    ("mode", "data", "message"),
    [
        ("RGB", b"nonsense" * 40, "its colour profile cannot be read"),
        (
            "RGB",
            files.matrix_profile([(0, 0, 0)] * 3, b"oops"),
            "its colour profile cannot be read",
        ),
        ("RGB", files.icc(b"HSV ", {}), "its colour profile cannot be read .*HSV"),
        ("RGB", files.GREY, "is for GRAY, its pixels are RGB"),
        ("L", files.table_profile(b"CMYK", np.zeros((2, 2, 2, 2, 3))), "is for CMYK, its pixels"),
        ("CMYK", files.PROFILES["p3"], "is for RGB, its pixels are CMYK"),
    ],
)
def test_odd_profiles_are_said_and_left_out(tmp_path, mode, data, message):
    shape = {"RGB": (8, 8, 3), "L": (8, 8), "CMYK": (8, 8, 4)}[mode]
    pixels = np.full(shape, 100, dtype=np.uint8)
    Image.fromarray(pixels, mode).save(tmp_path / "a.tif", icc_profile=data)
    Image.fromarray(pixels, mode).save(tmp_path / "b.tif")
    with pytest.warns(UserWarning, match=message):
        photo = read_photo(tmp_path / "a.tif")
    assert (photo.image == load_photo(tmp_path / "b.tif")).all()
    assert photo.metadata.profile is None


def test_a_grey_photo_with_a_profile_of_rgb(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    Image.fromarray(ramp).save(tmp_path / "a.jpg", quality=100, icc_profile=files.PROFILES["adobe"])
    with Image.open(tmp_path / "a.jpg") as picture:
        ramp = np.asarray(picture)
    found = (load_photo(tmp_path / "a.jpg")[0].permute(1, 2, 0).numpy() + 1) * 127.5
    expected = by_littlecms(np.repeat(ramp[..., None], 3, axis=-1), files.PROFILES["adobe"])
    assert abs(found - expected).max() < 1.3

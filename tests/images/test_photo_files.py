"""What a photo brings beside its colours is in the restored copy."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from deqir_lite.images import load_photo, read_photo, write_photo

ENDINGS = ["png", "tif", "webp", "jpg"]


@pytest.fixture
def rgba() -> np.ndarray:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (10, 14, 4), dtype=np.uint8)
    pixels[:3, :5, 3] = 0
    pixels[5:, 7:, 3] = 255
    return pixels


def exif_of(turn: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[271], exif[315], exif[33432] = turn, "Camera", "Somebody", "CC0"
    exif[40962] = 4000
    exif.get_ifd(34665).update({33434: 0.005, 36867: "2026:01:02 03:04:05", 40962: 14, 37500: b"x"})
    exif.get_ifd(34853).update({1: "N", 2: (47.0, 22.0, 0.0)})
    return exif


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_alpha(tmp_path, rgba, ending):
    lossless = {"lossless": True, "exact": True} if ending == "webp" else {}
    Image.fromarray(rgba).save(tmp_path / f"a.{ending}", **lossless)
    photo = read_photo(tmp_path / f"a.{ending}", dtype=torch.float64)
    assert np.array_equal(np.round(photo.alpha[0, 0].numpy() * 255), rgba[..., 3])
    visible = rgba[..., 3] > 0
    found = (photo.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    np.testing.assert_allclose(found[visible], rgba[visible][:, :3], atol=1e-10)
    assert (photo.image[0].permute(1, 2, 0).numpy()[~visible] == 1).all()
    copy = write_photo(tmp_path / f"b.{ending}", photo.image, photo)
    with Image.open(copy) as picture:
        again = np.asarray(picture.convert("RGBA"))
    assert np.array_equal(again[..., 3], rgba[..., 3])
    assert np.array_equal(again[visible], rgba[visible])


def test_without_alpha_there_is_none(tmp_path, rgba):
    Image.fromarray(rgba[..., :3]).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.alpha is None
    with Image.open(write_photo(tmp_path / "b.png", photo.image, photo)) as picture:
        assert picture.mode == "RGB"
        assert "icc_profile" not in picture.info
        assert not picture.getexif()


def test_alpha_in_a_jpeg_is_laid_on_white_and_said(tmp_path, rgba):
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"path: \.jpg has no alpha; laid on white"):
        copy = write_photo(tmp_path / "b.jpg", photo.image, photo)
    assert (load_photo(copy)[..., :2, :4] > 0.8).all()


def test_hidden_colours_do_not_shine_through_a_reduction(tmp_path):
    rgba = np.zeros((32, 32, 4), dtype=np.uint8)
    rgba[:, 16:] = (255, 255, 255, 255)  # beside it transparent black
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png", size=8)
    assert photo.image.min() > 0.99
    assert photo.alpha.shape == (1, 1, 8, 8)
    assert load_photo(tmp_path / "a.png", size=8).min() > 0.99


def test_alpha_of_an_enlarged_photo(tmp_path, rgba):
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    with Image.open(write_photo(tmp_path / "b.png", torch.zeros(1, 3, 20, 28), photo)) as picture:
        alpha = np.asarray(picture)[..., 3]
    assert alpha.shape == (20, 28)
    assert (alpha[:5, :9] == 0).all()
    assert (alpha[12:, 16:] == 255).all()


@pytest.mark.parametrize("source", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("turn", [1, 3, 6, 7])
def test_exif_stays_and_the_orientation_is_applied_once(tmp_path, rgba, source, ending, turn):
    pixels = np.repeat(np.repeat(rgba[..., :3], 8, axis=0), 8, axis=1)
    path = tmp_path / f"a.{source}"
    lossless = {"lossless": True} if source == "webp" else {}
    Image.fromarray(pixels).save(path, exif=exif_of(turn).tobytes(), **lossless)
    with Image.open(path) as picture:
        seen = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    photo = read_photo(path)
    copy = write_photo(tmp_path / f"b.{ending}", photo.image, photo)
    with Image.open(copy) as picture:
        exif = picture.getexif()
        assert exif.get(0x0112, 1) == 1
        assert (exif[271], exif[315], exif[33432]) == ("Camera", "Somebody", "CC0")
        assert float(exif.get_ifd(34665)[33434]) == pytest.approx(0.005)
        assert exif.get_ifd(34665)[36867] == "2026:01:02 03:04:05"
        assert not {40962, 37500} & set(exif.get_ifd(34665))
        assert exif.get_ifd(34853)[1] == "N"
        assert picture.size == seen.shape[1::-1]
        difference = abs(np.asarray(picture.convert("RGB")).astype(int) - seen)
    assert difference.mean() < (3 if ending == "jpg" else 0.01)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_exif_in_deep_files(tmp_path, ending, deep_png):
    values = np.full((8, 9, 3), 30000, dtype=np.uint16)
    data = exif_of(6).tobytes().removeprefix(b"Exif\0\0")
    photo = read_photo(deep_png(tmp_path / "a.png", values, (b"eXIf", data)))
    copy = write_photo(tmp_path / f"b.{ending}", photo.image, photo)
    again = read_photo(copy)
    assert again.depth == "uint16"
    assert again.image.shape == (1, 3, 9, 8)
    assert again.frame.orientation == 1
    exif = Image.Exif()
    exif.load(again.metadata.exif)
    assert exif[271] == "Camera"
    assert float(exif.get_ifd(34665)[33434]) == pytest.approx(0.005)
    assert exif.get_ifd(34853)[1] == "N"


@pytest.mark.parametrize("source", ["png", "tif", "jpg", "bmp"])
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_dots_per_inch(tmp_path, rgba, source, ending):
    Image.fromarray(rgba[..., :3]).save(tmp_path / f"a.{source}", dpi=(300, 150))
    photo = read_photo(tmp_path / f"a.{source}")
    with Image.open(write_photo(tmp_path / f"b.{ending}", photo.image, photo)) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 150), abs=0.1)


def test_dots_per_inch_turn_with_the_photo(tmp_path, rgba):
    Image.fromarray(rgba[..., :3]).save(tmp_path / "a.png", dpi=(300, 150), exif=exif_of(8))
    assert read_photo(tmp_path / "a.png").metadata.dpi == pytest.approx((150, 300), abs=0.1)


def test_damaged_exif_is_no_reason_to_refuse(tmp_path, rgba):
    Image.fromarray(rgba[..., :3]).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    photo = read_photo(tmp_path / "a.png")
    assert photo.metadata.exif is None
    assert photo.frame.orientation == 1


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_the_frame_says_how_the_photo_lies_in_its_file(tmp_path, rgba, turn, ending):
    Image.fromarray(rgba[..., :3]).save(tmp_path / f"a.{ending}", exif=exif_of(turn))
    frame = read_photo(tmp_path / f"a.{ending}").frame
    assert frame.stored == (10, 14)
    assert frame.upright == ((10, 14) if turn < 5 else (14, 10))
    assert frame.orientation == turn


def test_several_pictures_in_a_file_are_said(tmp_path, rgba):
    frames = [Image.fromarray(rgba[..., :3]), Image.new("RGB", (14, 10))]
    for ending in ("tif", "webp", "gif", "png"):
        frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
        with pytest.warns(UserWarning, match="holds 2 pictures; the first is read"):
            photo = load_photo(tmp_path / f"a.{ending}")
        if ending in ("tif", "png"):
            found = (photo[0].permute(1, 2, 0).numpy() + 1) * 127.5
            np.testing.assert_allclose(found, rgba[..., :3], atol=1e-4)


def test_a_name_that_is_not_utf_8(tmp_path, rgba):
    name = b"\xff\xe9.png".decode(errors="surrogateescape")
    Image.fromarray(rgba).save(tmp_path / name)
    photo = read_photo(tmp_path / name)
    copy = write_photo(tmp_path / f"copy-{name}", photo.image, photo)
    assert read_photo(bytes(copy)).image.shape == (1, 3, 10, 14)
    with pytest.raises(FileNotFoundError) as caught:
        read_photo(tmp_path / f"no-{name}")
    str(caught.value).encode()


def test_what_holds_for_one_photo_is_not_said_of_a_batch(tmp_path, rgba):
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"image: got shape \(2, 3, 4, 4\); expected \(1, 3, H"):
        write_photo(tmp_path / "b.png", torch.zeros(2, 3, 4, 4), photo)
    with pytest.raises(ValueError, match="a picture of 17000x8 pixels; .webp holds at most 16383"):
        write_photo(tmp_path / "b.webp", torch.zeros(3, 8, 17000), photo)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]

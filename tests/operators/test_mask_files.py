"""Masks from files: what means a hole, and the same pixels as in the photo."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from deqir_lite.images import read_photo
from deqir_lite.operators.mask_files import load_mask, read_mask


@pytest.fixture
def holes() -> np.ndarray:
    """(10, 14), True where the mask is to have holes; no symmetry."""
    lost = np.zeros((10, 14), dtype=bool)
    lost[1:3, 2:9] = lost[6, 11] = lost[8, 0] = True
    return lost


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def exif_of(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def as_mask(lost: np.ndarray) -> torch.Tensor:
    return 1 - torch.from_numpy(np.ascontiguousarray(lost)).float()


def rgba_of(colours, alpha) -> np.ndarray:
    return np.concatenate([np.broadcast_to(colours, (*alpha.shape, 3)), alpha[..., None]],
                          axis=-1).astype(np.uint8)  # fmt: skip


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (0, 7), (40, 200), (127, 128), (0, 128)])
@pytest.mark.parametrize("hole", ["black", "white"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "16"])
def test_two_values(tmp_path, holes, values, hole, mode):
    dark, bright = values
    grey = np.where(holes == (hole == "black"), dark, bright).astype(np.uint8)
    picture = Image.fromarray(grey)
    if mode == "16":
        picture = Image.fromarray(grey.astype(np.uint16) * (1 if bright < 10 else 257))
    elif mode != "L":
        picture = picture.convert(mode)
    picture.save(tmp_path / "a.png")
    found = read_mask(tmp_path / "a.png", hole=hole)
    assert torch.equal(found.mask, as_mask(holes))
    assert found.hole == hole
    if hole == "black":
        assert torch.equal(load_mask(tmp_path / "a.png"), as_mask(holes))


def test_black_and_white(tmp_path, holes):
    assert torch.equal(load_mask(save(tmp_path / "a.png", ~holes)), as_mask(holes))


def test_jpeg_and_soft_edges(tmp_path, holes):
    big = np.repeat(np.repeat(~holes, 8, axis=0), 8, axis=1)
    path = save(tmp_path / "a.jpg", big.astype(np.uint8) * 255, quality=90)
    wrong = (load_mask(path).numpy() > 0) != big
    assert wrong.mean() < 0.002


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_alpha_when_nothing_else_varies(tmp_path, holes, colour):
    path = save(tmp_path / "a.png", rgba_of(colour, np.where(holes, 0, 255)))
    found = read_mask(path)
    assert torch.equal(found.mask, as_mask(holes))
    assert found.hole == "transparent"
    assert torch.equal(load_mask(path, hole="opaque"), as_mask(~holes))


def test_colours_under_full_transparency_mean_nothing(tmp_path, holes):
    colours = np.random.default_rng(0).integers(0, 256, (10, 14, 3))
    colours[~holes] = 255
    path = save(tmp_path / "a.png", rgba_of(colours, np.where(holes, 0, 255)))
    assert torch.equal(load_mask(path), as_mask(holes))


def test_grey_and_alpha_both_vary(tmp_path, holes):
    grey = np.where(holes, 0, 255)[..., None]
    path = save(tmp_path / "a.png", rgba_of(grey, np.where(holes[::-1], 0, 255)))
    with pytest.raises(ValueError, match=r"varies in grey and in alpha.*transparent or opaque$"):
        load_mask(path)
    assert torch.equal(load_mask(path, hole="black"), as_mask(holes))
    assert torch.equal(load_mask(path, hole="transparent"), as_mask(holes[::-1]))


@pytest.mark.parametrize(
    ("turn", "made"),
    [(turn, made) for turn in range(1, 9) for made in ("upright", "with exif")]
    + [(turn, "stored") for turn in range(5, 9)],  # with 2 to 4 it is as large as the upright one
)
@pytest.mark.parametrize("size", [None, 8])
def test_a_mask_lies_on_its_photo_pixel_by_pixel(tmp_path, holes, turn, made, size):
    """The photo is black where the mask has holes, both before and after all that is done to it."""
    kept = np.where(holes, 0, 255).astype(np.uint8)
    photo = save(tmp_path / "photo.png", np.repeat(kept[..., None], 3, 2), exif=exif_of(turn))
    with Image.open(photo) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))[..., 0]
    if made == "upright":
        path = save(tmp_path / "mask.png", upright)
    else:
        options = {"exif": exif_of(turn)} if made == "with exif" else {}
        path = save(tmp_path / "mask.png", kept, **options)
    frame = read_photo(photo, size=size).frame
    height, width = upright.shape
    expected = upright > 0
    if size is not None:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        nearest = [int((k + 0.5) * side / size) for k in range(size)]
        expected = expected[top : top + side, left : left + side][np.ix_(nearest, nearest)]
    assert torch.equal(load_mask(path, frame=frame), as_mask(~expected))
    if made != "stored":
        assert torch.equal(load_mask(path, size=size), as_mask(~expected))


def test_a_mask_of_the_resized_square_is_taken_as_it_is(tmp_path, holes):
    photo = save(tmp_path / "photo.png", np.zeros((20, 30), dtype=np.uint8))
    square = holes[:, 2:12]
    path = save(tmp_path / "mask.png", ~square)
    assert torch.equal(load_mask(path, frame=read_photo(photo, size=10).frame), as_mask(square))


@pytest.mark.parametrize(
    ("size", "expected"), [(None, "expected 30x20, as"), (16, "expected 30x20 or 16x16, as")]
)
def test_other_sizes_are_refused(tmp_path, holes, size, expected):
    photo = save(tmp_path / "photo.png", np.zeros((20, 30), dtype=np.uint8))
    path = save(tmp_path / "mask.png", ~holes)
    with pytest.raises(ValueError, match=rf"mask: .*mask\.png' has 14x10 pixels; {expected}"):
        load_mask(path, frame=read_photo(photo, size=size).frame)


def test_what_was_taken_for_a_hole_is_said(tmp_path, holes):
    path = save(tmp_path / "kept.png", ~holes)
    line = read_mask(path).describe()
    assert line == "kept.png: black = hole, 11.4% of 14x10 pixels"
    odd = save(tmp_path / b"\xff.png".decode(errors="surrogateescape"), holes)
    read_mask(odd, hole="white").describe().encode()

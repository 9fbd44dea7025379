"""Reading a folder of photos, splitting it, cropping from it."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deqir_lite.images import load_photo
from deqir_lite.training.photos import load_photos, random_crop, random_crops, split_photos


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_all_photos_are_read_exactly_in_the_order_of_their_paths(photo_folder):
    photos = load_photos(photo_folder, minimum=16)
    assert [tuple(p.shape) for p in photos] == [(3, 40, 32), (3, 24, 48), (3, 32, 32)]
    assert {p.dtype for p in photos} == {torch.uint8}
    exact = load_photo(photo_folder / "a.png")[0]
    torch.testing.assert_close(photos[0].float() / 127.5 - 1, exact)


def test_unreadable_and_tiny_files_are_skipped_with_their_number(photo_folder, tmp_path):
    folder = shutil.copytree(photo_folder, tmp_path / "photos")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (64, 15)).save(folder / "low.png")
    (folder / "notes.txt").write_text("not counted")
    with pytest.warns(UserWarning, match=r"photos: skipped 3 unreadable or tiny files, such as "):
        assert len(load_photos(folder, minimum=16)) == 3


def test_folders_without_photos(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^photos: no folder .*gone"):
        load_photos(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"^photos: .* holds no usable photo of at least 16x16"):
        load_photos(tmp_path, minimum=16)


@given(st.integers(2, 200), st.integers(1, 60))
def test_held_out_photos_are_not_trained_on(count, every):
    photos = [torch.tensor(i) for i in range(count)]
    if every == 1:
        every = 2
    training, held_out = split_photos(photos, every)
    numbers = [int(p) for p in training], [int(p) for p in held_out]
    assert sorted(numbers[0] + numbers[1]) == list(range(count))
    assert numbers[0]
    assert len(numbers[1]) == -(-count // min(every, count))


def test_one_photo_cannot_be_split():
    with pytest.raises(ValueError, match="photos: got 1; training needs at least 2"):
        split_photos([torch.zeros(1)])


@given(st.integers(16, 50), st.integers(16, 50), st.integers(0, 2**20))
def test_crops_stay_within_the_photo_and_in_range(height, width, seed):
    photo = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator(seed))
    crop = random_crop(photo, 16, generator(seed))
    assert crop.shape == (3, 16, 16)
    assert crop.abs().max() <= 1 + 1e-6
    assert torch.equal(crop, random_crop(photo, 16, generator(seed)))


def test_crops_of_the_same_size_are_cut_out_and_sometimes_flipped():
    photo = torch.arange(3 * 16 * 16).remainder(251).to(torch.uint8).reshape(3, 16, 16)
    whole = photo.float() / 127.5 - 1
    flips = 0
    for seed in range(40):
        crop = random_crop(photo, 16, generator(seed))
        flipped = torch.allclose(crop, whole.flip(-1))
        assert flipped or torch.allclose(crop, whole)
        flips += flipped
    assert 10 < flips < 30


def test_crops_come_from_everywhere_and_at_several_scales():
    ramp = torch.arange(64, dtype=torch.uint8).mul(4).expand(3, 64, 64)
    crops = random_crops([ramp], 200, 16, generator())
    widths = (crops[:, 0, 0].amax(1) - crops[:, 0, 0].amin(1)) * 127.5 / 4
    assert widths.min() < 18
    assert widths.max() > 50
    middle = crops[:, 0, 0].mean(1)
    assert middle.min() < -0.6
    assert middle.max() > 0.6


def test_every_photo_is_drawn():
    photos = [torch.full((3, 16, 16), value, dtype=torch.uint8) for value in (0, 100, 255)]
    crops = random_crops(photos, 60, 16, generator())
    assert crops.shape == (60, 3, 16, 16)
    assert len(crops[:, 0, 0, 0].unique()) == 3
    assert torch.equal(crops, random_crops(photos, 60, 16, generator()))

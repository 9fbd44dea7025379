"""Reading a folder of photos and splitting it."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deqir_lite.images import load_photo
from deqir_lite.training.photos import load_photos, split_photos


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


def test_large_photos_are_shrunk_in_proportion(tmp_path):
    Image.linear_gradient("L").resize((1300, 1040)).save(tmp_path / "large.png")
    Image.new("RGB", (2000, 512)).save(tmp_path / "wide.png")
    large, wide = load_photos(tmp_path)
    assert large.shape == (3, 512, 640)
    assert wide.shape == (3, 512, 2000)
    rows = large[0].float().mean(dim=1)  # the gradient runs downwards, over all its range
    assert rows[0] < 2
    assert rows[-1] > 253
    assert load_photos(tmp_path / ".", minimum=512)[0].shape == (3, 512, 640)
    with pytest.warns(UserWarning, match="skipped 1"):
        assert load_photos(tmp_path, minimum=600)[0].shape == (3, 600, 750)


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
    training, held_out = split_photos(photos, every=every)
    numbers = [int(p) for p in training], [int(p) for p in held_out]
    assert sorted(numbers[0] + numbers[1]) == list(range(count))
    assert numbers[0]
    assert len(numbers[1]) == -(-count // min(every, count))


def test_one_photo_cannot_be_split():
    with pytest.raises(ValueError, match="photos: got 1; training needs at least 2"):
        split_photos([torch.zeros(1)])

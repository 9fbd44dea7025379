"""The photos of an evaluation, and the pictures it keeps."""

import pytest
import torch

from deqir_lite import save_image
from deqir_lite.operators import make_task
from deqir_lite.studies.evaluation.photos import check_photo_sizes, find_photos, photos_of
from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.settings import Setting


def test_photos(photo_folder):
    (photo_folder / "broken.png").write_bytes(b"no photo")
    (photo_folder / "notes.txt").write_text("no photo either")
    with pytest.warns(
        UserWarning, match="photos: skipped 1 unreadable or tiny files, such as broken.png"
    ):
        photos = find_photos(photo_folder)
    assert [(p.name, p.coloured) for p in photos] == [
        *(("a.png", True), ("b.jpg", True), ("grey.png", False)),
    ]
    assert len({p.digest for p in photos}) == 3
    assert {p.side for p in photos} == {24}
    assert photos[0].load(16).shape == (1, 3, 16, 16)


def test_no_photos(tmp_path):
    with pytest.raises(FileNotFoundError, match="photos: no folder"):
        find_photos(tmp_path / "none")
    with pytest.raises(ValueError, match="photos: .* holds no usable photo of at least 8x8"):
        find_photos(tmp_path)


@pytest.fixture
def mixed_photos(photo_folder):
    """Three photos of 24 pixels a side and one whose short side has 16."""
    save_image(photo_folder / "wide.png", torch.rand(3, 16, 40))
    return find_photos(photo_folder)


def names(photos):
    return [photo.name for photo in photos]


def test_photos_of_a_task_and_size(mixed_photos):
    assert names(photos_of("sr2", mixed_photos)) == ["a.png", "b.jpg", "grey.png", "wide.png"]
    assert names(photos_of("sr2", mixed_photos, size=16)) == names(mixed_photos)
    assert names(photos_of("sr2", mixed_photos, size=17)) == ["a.png", "b.jpg", "grey.png"]
    assert names(photos_of("colorization", mixed_photos, size=17)) == ["a.png", "b.jpg"]
    assert names(photos_of("colorization", mixed_photos)) == ["a.png", "b.jpg", "wide.png"]


def test_smaller_photos_are_counted_once_for_a_size(mixed_photos, recwarn):
    check_photo_sizes(mixed_photos, [24, 16, 8, 24])
    (warning,) = recwarn
    assert str(warning.message) == (
        "photos: left out 1 of 4 at 24 pixels, which are smaller, such as wide.png"
    )


def test_a_size_that_no_photo_has(mixed_photos):
    message = "^sizes: got 25, but all 4 photos are smaller; the largest has 24 pixels on its short"
    with pytest.raises(ValueError, match=message):
        check_photo_sizes(mixed_photos, [25, 16])


def test_pictures_round_trip(tmp_path):
    setting = Setting("sr2", 16, 5, 0.85)
    truth = torch.rand(1, 3, 16, 16, dtype=torch.float64) * 2 - 1
    pictures = Pictures(tmp_path)
    pictures.keep(setting, make_task("sr2", (16, 16)), truth, 0 * truth, truth)
    again = Pictures(tmp_path)
    assert list(again.rows) == [setting]
    assert (again.rows[setting] == pictures.rows[setting]).all()
    assert (again.rows[setting][0] == again.rows[setting][4]).all()
    again.path.write_bytes(b"damaged")
    assert Pictures(tmp_path).rows == {}

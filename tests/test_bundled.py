"""The bundled photos: found, free, documented, and what their script makes."""

import runpy
import shutil

import numpy as np
import pytest
from PIL import Image

from deqir_lite import bundled
from deqir_lite.operators.mask_files import load_mask
from deqir_lite.priors.files import WEIGHTS_FILE


def test_photos_are_enough_and_large_enough():
    names = bundled.photo_names()
    assert len(names) >= 8
    assert names == sorted(names)
    for name in names:
        photo = bundled.load_bundled_photo(name)
        assert photo.shape[-1] == photo.shape[-2]
        assert 256 <= photo.shape[-1] <= 512
    assert sum(p.stat().st_size for p in bundled.data_path("photos").iterdir()) < 2.5e6


def test_weights_of_the_priors_are_at_most_10_megabytes():
    sizes = [p.stat().st_size for p in bundled.data_path("priors").glob("*/" + WEIGHTS_FILE)]
    assert sizes
    assert max(sizes) <= 10e6


def test_load_at_a_size():
    assert bundled.load_bundled_photo("cat", size=64).shape == (1, 3, 64, 64)


def test_every_photo_has_a_source_and_a_free_licence():
    lines = (bundled.data_path("photos") / "README.md").read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| `")]
    assert {row[0].strip(" `") for row in rows} == {
        bundled.photo_path(name).name for name in bundled.photo_names()
    }
    for _, shows, source, licence, _ in rows:
        assert shows.strip()
        assert source.strip()
        assert licence.strip() in ("CC0", "public domain")


def test_the_script_makes_the_photos_again(tmp_path):
    path = bundled.data_path("photos") / "make_photos.py"
    runpy.run_path(str(path))["make"](tmp_path)
    assert sorted(p.stem for p in tmp_path.iterdir()) == bundled.photo_names()
    for name in bundled.photo_names():
        with (
            Image.open(tmp_path / f"{name}.png") as new,
            Image.open(bundled.photo_path(name)) as old,
        ):
            difference = np.asarray(new).astype(int) - np.asarray(old)
        assert abs(difference).max() <= 1, name  # versions of Pillow may round differently


def test_masks_are_what_their_script_draws(tmp_path):
    path = bundled.data_path("masks") / "make_masks.py"
    runpy.run_path(str(path))["make"](tmp_path)
    assert sorted(p.stem for p in tmp_path.iterdir()) == bundled.mask_names()
    text = (bundled.data_path("masks") / "README.md").read_text()
    for name in bundled.mask_names():
        mask = load_mask(bundled.mask_path(name))
        assert mask.shape == (256, 256)
        assert 0.5 < float(mask.mean()) < 1  # most is kept, and something is lost
        assert f"`{name}.png`" in text
        # fonts and line drawing may differ by a pixel between versions of Pillow
        assert float((load_mask(tmp_path / f"{name}.png") - mask).abs().mean()) < 0.01


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"name: unknown value 'dog'; known: astronaut, .*cat"):
        bundled.load_bundled_photo("dog")
    with pytest.raises(ValueError, match=r"name: unknown value 'songs'; known: .*photos"):
        bundled.data_path("songs")
    with pytest.raises(ValueError, match=r"name: unknown value '\.\.'"):
        bundled.data_path("..")
    with pytest.raises(ValueError, match=r"name: unknown value 'moth'; known: box, scratch"):
        bundled.mask_path("moth")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A package folder at a place that has no data yet."""
    package = tmp_path / "site-packages" / "deqir_lite"
    package.mkdir(parents=True)
    monkeypatch.setattr(bundled, "__file__", str(package / "bundled.py"))
    return package


def fill(root, photo):
    (root / "photos").mkdir(parents=True)
    shutil.copy(bundled_cat, root / "photos" / photo)
    for name, file in (("one", "config.json"), ("two", "config.json"), ("broken", "other.txt")):
        (root / "priors" / name).mkdir(parents=True)
        (root / "priors" / name / file).write_text("{}")


bundled_cat = bundled.photo_path("cat")


def test_installed_wheel(elsewhere):
    fill(elsewhere / "_data", "installed.png")
    fill(elsewhere.parent / "data", "somebody_elses.png")
    assert bundled.photo_names() == ["installed"]
    assert bundled.prior_names() == ["one", "two"]
    assert bundled.prior_path("two") == elsewhere / "_data" / "priors" / "two"


def test_source_checkout(elsewhere):
    fill(elsewhere.parent / "data", "source.png")
    assert bundled.photo_names() == ["source"]
    with pytest.raises(ValueError, match="name: unknown value 'broken'; known: one, two"):
        bundled.prior_path("broken")


def test_no_priors_yet(elsewhere):
    fill(elsewhere / "_data", "cat.png")
    shutil.rmtree(elsewhere / "_data" / "priors")
    assert bundled.prior_names() == []


def test_no_data_at_all(elsewhere):
    with pytest.raises(FileNotFoundError, match=r"bundled data: neither .*_data.* reinstall"):
        bundled.photo_names()

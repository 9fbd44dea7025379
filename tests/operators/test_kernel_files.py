"""Kernels from pictures, arrays and text, and the blurs that they make."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite.operators import FFTBlur
from deqir_lite.operators.kernel_files import load_kernel, read_kernel


@pytest.fixture
def taps() -> np.ndarray:
    """(3, 5) with sum 1 and no symmetry."""
    numbers = np.random.default_rng(0).integers(1, 200, (3, 5)).astype(np.float64)
    return numbers / numbers.sum()


def text_of(taps, separator=" ") -> str:
    return "\n".join(separator.join(repr(float(n)) for n in row) for row in taps)


def test_npy(tmp_path, taps, recwarn):
    for order in "CF":
        for dtype in (np.float64, ">f4", np.float32):
            np.save(tmp_path / "k.npy", np.asarray(taps, dtype=dtype, order=order))
            torch.testing.assert_close(
                load_kernel(tmp_path / "k.npy"), torch.from_numpy(taps), atol=1e-7, rtol=0
            )
    assert not recwarn.list


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", ", ";", " ; "])
def test_text(tmp_path, taps, separator, recwarn):
    text = "\ufeff# a kernel\n\n" + text_of(taps, separator) + "  # end\n"
    (tmp_path / "k.txt").write_text(text, encoding="utf-8")
    assert torch.equal(load_kernel(tmp_path / "k.txt"), torch.from_numpy(taps / taps.sum()))
    assert not recwarn.list


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "16", "F"])
def test_pictures(tmp_path, mode):
    grey = np.random.default_rng(1).integers(0, 256, (5, 7), dtype=np.uint8)
    expected = torch.from_numpy(grey / grey.sum())
    picture = Image.fromarray(grey)
    if mode == "16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(grey.astype(np.float32) / 255)
    elif mode != "L":
        picture = picture.convert(mode)
    path = tmp_path / ("k.tif" if mode == "F" else "k.png")
    picture.save(path)
    torch.testing.assert_close(load_kernel(path), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (4, 4), (1, 2), (6, 1), (5, 5)])
def test_even_sides_keep_their_centre(tmp_path, shape):
    """The tap n // 2 leaves a pixel where it is."""
    kernel = np.zeros(shape)
    kernel[shape[0] // 2, shape[1] // 2] = 1
    np.save(tmp_path / "k.npy", kernel)
    found = read_kernel(tmp_path / "k.npy")
    assert found.centre == (shape[0] // 2, shape[1] // 2)
    assert f"centre in row {shape[0] // 2}, column {shape[1] // 2} (from 0)" in found.describe()
    assert f"{shape[1]}x{shape[0]} taps" in found.describe()
    x = torch.randn(1, 3, 8, 9, dtype=torch.float64)
    torch.testing.assert_close(FFTBlur(found.kernel).A(x), x)


@pytest.mark.parametrize("shape", [(3, 5), (4, 2)])
def test_the_blur_is_a_convolution(tmp_path, shape):
    kernel = np.random.default_rng(2).uniform(size=shape)
    kernel /= kernel.sum()
    np.save(tmp_path / "k.npy", kernel)
    x = np.random.default_rng(3).uniform(-1, 1, (9, 11))
    expected = np.zeros_like(x)
    for i in range(shape[0]):
        for j in range(shape[1]):
            shift = (i - shape[0] // 2, j - shape[1] // 2)
            expected += kernel[i, j] * np.roll(x, shift, axis=(0, 1))
    blur = FFTBlur(load_kernel(tmp_path / "k.npy"), threshold=0)
    found = blur.A(torch.from_numpy(x).expand(1, 3, 9, 11))[0, 1].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("ending", ["npy", "txt"])
def test_taps_that_do_not_sum_to_1_are_divided_and_said_once(tmp_path, taps, ending):
    """Of a kernel file, by what it is; of the taps alone, by a warning."""
    path = tmp_path / f"k.{ending}"
    if ending == "npy":
        np.save(path, taps * 16)
    else:
        path.write_text(text_of(taps * 16))
    with pytest.warns(UserWarning, match=r"5x3 taps, divided by their sum 16, centre") as said:
        load_kernel(path)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_kernel(path)
    assert "divided by their sum 16" in found.describe()
    torch.testing.assert_close(found.kernel, torch.from_numpy(taps))
    assert found.total == pytest.approx(16)


def test_negative_taps_with_a_positive_sum(tmp_path):
    (tmp_path / "k.csv").write_text("0,-1,0\n-1,5,-1\n0,-1,0")
    assert load_kernel(tmp_path / "k.csv")[1].tolist() == [-1, 5, -1]


def test_one_row_and_one_column(tmp_path):
    (tmp_path / "row.txt").write_text("0.25 0.5 0.25")
    (tmp_path / "column.txt").write_text("0.25\n0.5\n0.25\n")
    assert load_kernel(tmp_path / "row.txt").shape == (1, 3)
    assert load_kernel(tmp_path / "column.txt").shape == (3, 1)


def test_a_kernel_may_be_as_large_as_the_photo(tmp_path):
    np.save(tmp_path / "k.npy", np.full((8, 9), 1 / 72))
    assert load_kernel(tmp_path / "k.npy", image_size=(8, 9)).shape == (9, 9)

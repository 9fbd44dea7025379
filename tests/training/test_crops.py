"""Random windows of image pyramids, without a loop."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.training import crops
from deqir_lite.training.crops import CropSampler, level_sizes, pyramid


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height, width, seed=0):
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator(seed))


@given(st.integers(16, 400), st.integers(16, 400), st.integers(8, 16))
def test_levels_go_from_the_picture_to_the_crop_in_equal_ratios(height, width, size):
    sizes = level_sizes(height, width, size)
    short = [min(level) for level in sizes]
    assert sizes[0] == (height, width)
    assert all(n >= size for n in short)
    if min(height, width) >= 2 * size:
        assert short[-1] == size
        ratio = (short[0] / size) ** (1 / (len(sizes) - 1))
        assert 1.18 < ratio < 1.7
        for k, n in enumerate(short):
            assert abs(n - short[0] / ratio**k) <= 0.5 + 1e-9
        for h, w in sizes:
            assert abs(h / height - w / width) < 1 / min(height, width)


def test_pyramid_is_the_picture_and_its_antialiased_reductions():
    picture = noise(40, 64)
    pixels, start = pyramid(picture, 16), 0
    for height, width in level_sizes(40, 64, 16):
        level = pixels[start : start + height * width].T.reshape(3, height, width)
        start += height * width
        exact = F.interpolate(picture[None].double(), (height, width), mode="bilinear",
                              antialias=True)[0]  # fmt: skip
        assert (level - exact).abs().max() <= 0.5 + 1e-3
    assert start == len(pixels)


def test_a_window_is_a_piece_of_its_level_and_its_mirror_image():
    first, second = noise(20, 30, 1), noise(48, 33, 2)
    sampler = CropSampler([first, second], 16)
    levels = len(level_sizes(20, 30, 16))
    got = sampler.cut(torch.tensor([[0, 3, 14, 0], [levels, 32, 17, 0], [levels, 5, 1, 1]]))
    pieces = [first[:, 3:19, 14:30], second[:, 32:48, 17:33], second[:, 5:21, 1:17].flip(-1)]
    torch.testing.assert_close(got, torch.stack(pieces) / 127.5 - 1)
    assert got.is_contiguous(memory_format=torch.channels_last)


@given(st.integers(16, 70), st.integers(16, 70), st.integers(0, 2**20))
def test_windows_stay_within_their_level(height, width, seed):
    sampler = CropSampler([noise(height, width), noise(17, 40)], 16)
    sizes = torch.tensor(level_sizes(height, width, 16) + level_sizes(17, 40, 16))
    level, top, left, flip = sampler.windows(64, generator(seed)).unbind(1)
    assert set(flip.tolist()) <= {0, 1}
    assert (level >= 0).all()
    for corner, limit in ((top, sizes[level, 0]), (left, sizes[level, 1])):
        assert (corner >= 0).all()
        assert (corner + 16 <= limit).all()


def test_uniform_numbers_next_to_one_are_no_index_too_much():
    u = torch.tensor([0.0, 1 - 2**-24])
    for count in (1, 3, 2**24 + 1):
        assert crops._integers(u, torch.tensor(count)).tolist()[1] <= count - 1


def test_draws_are_uniform_over_scales_places_and_flips():
    sampler = CropSampler([noise(64, 128)], 16)
    sizes = torch.tensor(level_sizes(64, 128, 16))
    level, top, left, flip = sampler.windows(20000, generator()).unbind(1)
    share = torch.bincount(level) / 20000
    assert share.shape == (len(sizes),)
    assert (share - 1 / len(sizes)).abs().max() < 0.01
    assert abs(flip.double().mean() - 0.5) < 0.02
    whole = level == 0
    for corner, count in ((top[whole], 64 - 16 + 1), (left[whole], 128 - 16 + 1)):
        assert corner.min() == 0
        assert corner.max() == count - 1
        assert abs(corner.double().mean() / ((count - 1) / 2) - 1) < 0.05


def test_pictures_are_drawn_by_weight():
    pictures = [torch.full((3, 16, 16), v, dtype=torch.uint8) for v in (0, 100, 200, 255)]
    drawn = CropSampler(pictures, 16, weights=[0, 3, 1, 0]).draw(4000, generator())[:, 0, 0, 0]
    shares = [float((drawn - (v / 127.5 - 1)).abs().lt(1e-4).double().mean()) for v in (100, 200)]
    assert math.isclose(sum(shares), 1)
    assert abs(shares[0] - 0.75) < 0.03
    equal = CropSampler(pictures, 16).draw(400, generator())[:, 0, 0, 0]
    assert len(equal.unique()) == 4


def test_the_same_generator_gives_the_same_crops():
    sampler = CropSampler([noise(40, 40)], 16)
    assert torch.equal(sampler.draw(8, generator(3)), sampler.draw(8, generator(3)))
    assert not torch.equal(sampler.draw(8, generator(3)), sampler.draw(8, generator(4)))


def test_a_picture_can_be_replaced_at_all_scales_without_touching_its_neighbours():
    old = [noise(40, 40, seed) for seed in range(3)]
    sampler, expected = CropSampler(old, 16), CropSampler([old[0], noise(40, 40, 9), old[2]], 16)
    sampler.replace(1, noise(40, 40, 9))
    assert torch.equal(sampler.draw(50, generator()), expected.draw(50, generator()))


def test_pictures_are_rescaled_on_the_device_of_the_buffer(monkeypatch):
    """ "meta" is a device of its own on every machine: it has shapes and no values."""
    places = []
    usual = crops.pyramid
    monkeypatch.setattr(
        crops,
        "pyramid",
        lambda picture, size: places.append(picture.device) or usual(picture, size),
    )
    CropSampler([noise(40, 40)], 16, device="meta").replace(0, noise(40, 40, 1))
    assert [place.type for place in places] == ["meta", "meta"]


def test_refusals():
    with pytest.raises(ValueError, match="pictures: got none"):
        CropSampler([], 16)
    with pytest.raises(ValueError, match="pictures: got 15x40; expected at least 16x16"):
        CropSampler([noise(16, 16), noise(15, 40)], 16)


def test_too_many_photos_for_the_memory(monkeypatch):
    def full(*shape, **options):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 40 GB")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(ValueError, match=r"^photos: 1 pictures need 0\.0 GB, which do not fit"):
        CropSampler([noise(16, 16)], 16)

"""What is known of a damaged photo, and the problem that follows from it."""

import warnings
from dataclasses import replace

import pytest
import torch

from deqir_lite import load_bundled_photo, psnr, restore_problem
from deqir_lite.operators import (
    BicubicDownsampling,
    DamagedPhoto,
    FFTBlur,
    Grayscale,
    Inpainting,
    MaskedGrayscale,
    named_kernel,
    random_mask,
)
from deqir_lite.restoration import Damage, choose, pose_damaged
from deqir_lite.restoration.damage import ROUNDING
from deqir_lite.restoration.plan import check_room

MASK = random_mask((16, 16), seed=1)
KERNEL = named_kernel("gaussian:1")


@pytest.fixture(scope="module")
def photo():
    return load_bundled_photo("cat", size=48, dtype=torch.float64)


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (Damage(), FFTBlur, []),
        (Damage(mask=MASK), Inpainting, ["mask"]),
        (Damage(upscale=3), BicubicDownsampling, ["upscale 3"]),
        (Damage(colorize=True), Grayscale, ["colorize"]),
        (Damage(mask=MASK, colorize=True), MaskedGrayscale, ["colorize", "mask"]),
        (Damage(kernel=KERNEL), DamagedPhoto, ["kernel"]),
        (Damage(upscale=2, mask=MASK), DamagedPhoto, ["upscale 2", "mask"]),
    ],
)
def test_the_operator_of_a_damage(damage, kind, said):
    operator = damage.operator((16, 16))
    assert type(operator) is kind
    assert damage.parts == said
    channels = 1 if damage.colorize else 3
    shape = operator.measurement_shape(operator.image_size((channels, 16, 16)))
    assert shape == (channels, 16, 16)
    if not said:
        x = torch.randn(1, 3, 16, 16, dtype=torch.float64)
        torch.testing.assert_close(operator.A(x), x)


def test_what_is_assumed_of_noise(photo, recwarn):
    """None where one kind of damage is undone exactly; else what an 8-bit file cuts off."""
    steps = torch.arange(-1, 1, 1e-5, dtype=torch.float64)
    rounded = ((steps + 1) * 127.5).round() / 127.5 - 1
    assert float((rounded - steps).square().mean().sqrt()) == pytest.approx(ROUNDING, rel=1e-3)
    assert pose_damaged(photo, Damage(upscale=2)).levels.tolist() == [0]
    assert pose_damaged(photo, Damage(kernel=KERNEL)).levels.tolist() == [ROUNDING]
    assert pose_damaged(photo, Damage(kernel=KERNEL), sigma_y=0.0).levels.tolist() == [0]
    assert choose(pose_damaged(photo, Damage(upscale=2))).method == "ddnm"
    assert choose(pose_damaged(photo, Damage(upscale=2, colorize=True))).method == "weighted"


def test_holes_count_for_nothing(photo):
    mask = random_mask((48, 48), seed=2)
    problem = pose_damaged(photo, Damage(mask=mask))
    other = pose_damaged(torch.where(mask.bool(), photo, 1.0), Damage(mask=mask))
    torch.testing.assert_close(problem.y, other.y)


def test_a_blurred_photo_comes_back_to_its_border(photo, gaussian_prior):
    """Its border was blurred with what lies beyond it, which is not in the picture."""
    photo = photo.float()  # as pictures are restored: float64 solves to its last digit
    kernel = named_kernel("gaussian:1.2")
    sharp = photo[..., 8:40, 8:40]
    blurred = FFTBlur(kernel, threshold=0).A(photo)[..., 8:40, 8:40]
    blurred = ((blurred + 1) * 127.5).round() / 127.5 - 1
    problem = pose_damaged(blurred, Damage(kernel=kernel))
    report = restore_problem(problem, gaussian_prior, sampler="sequential")
    assert report.restored.shape == report.images["before"].shape == sharp.shape
    assert report.simple[0] == "y"
    assert report.quality() == {}
    before, after = psnr(blurred, sharp), psnr(report.restored.to(sharp), sharp)
    assert float(after - before) > 1
    border = torch.ones(32, 32, dtype=torch.bool)
    border[2:-2, 2:-2] = False
    error, was = ((a - sharp)[..., border].square().mean() for a in (report.restored, blurred))
    assert error < was


def test_samples_are_cropped_too(photo, gaussian_prior):
    problem = pose_damaged(photo[..., :20, :24].float(), Damage(kernel=KERNEL, upscale=2))
    report = restore_problem(problem, gaussian_prior, samples=2, sampler="sequential")
    assert report.samples.shape == (2, 3, 40, 48)
    name, simple = report.simple
    assert (name, simple.shape) == ("bicubic", (1, 3, 40, 48))
    expected = (report.restored - simple.clamp(-1, 1)).square().mean().sqrt()
    assert report.distance_to_simple() == pytest.approx(float(expected))


def test_noise_is_looked_for_in_the_middle_of_a_large_photo(photo, monkeypatch):
    seen = []

    def estimate(operator, y):
        seen.append(tuple(y.shape[-2:]))
        if len(seen) == 1:
            raise ValueError("sigma_y: an estimate needs 64 measured values")
        return torch.tensor([0.25])

    monkeypatch.setattr("deqir_lite.restoration.damage.estimate_sigma_y", estimate)
    large = torch.zeros(1, 3, 520, 30)
    mask = torch.ones(520, 30)
    mask[4:-4] = 0  # the middle is one hole
    problem = pose_damaged(large, Damage(mask=mask), sigma_y="auto")
    assert seen == [(512, 30), (520, 30)]
    assert problem.levels.tolist() == [0.25]


def test_bad_damage(photo):
    with pytest.raises(ValueError, match="upscale: got 0; expected an integer >= 1"):
        Damage(upscale=0)
    with pytest.raises(ValueError, match=r"^mask: got size 16x16; expected 48x48, the size of the"):
        pose_damaged(photo, Damage(mask=MASK))
    with pytest.raises(ValueError, match=r"^picture: got shape \(3, 48, 48\)"):
        pose_damaged(photo[0], Damage(upscale=2))
    with pytest.raises(ValueError, match=r"^sigma_y: got -1; expected a finite number >= 0"):
        pose_damaged(photo, Damage(upscale=2), sigma_y=-1)


def test_damage_of_another_kind(photo):
    with pytest.raises(ValueError, match="damage: got 'blur'"):
        pose_damaged(photo, "blur")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": 3}, "^kernel: got one number, 3; expected 2-D with odd lengths, rows and colu"),
        ({"kernel": "gaussian:1"}, "^kernel: got str; expected numbers"),
        ({"kernel": torch.ones(4, 3)}, r"^kernel: got shape \(4, 3\); expected 2-D with odd leng"),
        ({"kernel": torch.ones(5)}, r"^kernel: got shape \(5,\); expected 2-D"),
        ({"kernel": [[1.0]]}, r"^kernel: got \[\[1.0\]\] \(list\); expected a torch.Tensor"),
        ({"mask": 3}, r"^mask: got 3 \(int\); expected a torch.Tensor"),
        ({"colorize": "no"}, "^colorize: got 'no'; expected True or False"),
        ({"upscale": 2.5}, "^upscale: got 2.5; expected an integer >= 1"),
    ],
)
def test_what_is_no_damage_is_refused_when_it_is_said(given, message):
    with pytest.raises(ValueError, match=message):
        Damage(**given)


@pytest.mark.parametrize("sigma_y", [None, 0, 0.0, [0.0]])
def test_no_damage_is_nothing_to_restore(photo, sigma_y):
    with pytest.raises(
        ValueError, match="^damage: nothing was said of it; expected one or more of"
    ):
        pose_damaged(photo, Damage(), sigma_y=sigma_y)
    for level in (0.1, "auto"):
        assert pose_damaged(photo, Damage(), sigma_y=level).task == "noise"


def test_a_kernel_is_no_larger_than_the_photo_that_was_blurred(photo):
    small = photo[..., :20, :30]
    for shape in ((21, 3), (3, 31)):
        kernel = torch.ones(shape, dtype=torch.float64) / (shape[0] * shape[1])
        said = f"^kernel: has {shape[1]}x{shape[0]} taps, more than the photo's 30x20 pixels"
        with pytest.raises(ValueError, match=said):
            pose_damaged(small, Damage(kernel=kernel))
        pose_damaged(small, Damage(kernel=kernel, upscale=2), sigma_y=0.1)


def test_an_enlargement_that_no_memory_holds(photo, monkeypatch):
    monkeypatch.setattr("deqir_lite.restoration.plan.available_memory", lambda device: 10**9)
    with pytest.raises(
        ValueError, match=r"^upscale: 200 makes 9600x9600 .* enough for (\d+)"
    ) as said:
        pose_damaged(photo, Damage(upscale=200))
    most = int(str(said.value).split()[-1])
    assert 10 < most < 200
    check_room("upscale", most, (48 * most, 48 * most), "cpu")
    with pytest.raises(ValueError, match=f"enough for {most}"):
        check_room("upscale", most + 1, (48 * most + 48, 48 * most + 48), "cpu")


def test_of_a_batch_the_grey_photos_stay_grey(photo, gaussian_prior):
    """Whose mean of the channels is as near to y as they are."""
    both = torch.cat([photo, photo.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)])
    problem = pose_damaged(both, Damage(upscale=2))
    assert problem.grey.tolist() == [False, True]
    assert problem[1:].grey.tolist() == [True]
    report = restore_problem(problem, gaussian_prior, samples=2, sampler="sequential")
    for images in (report.restored, report.samples[1::2], report.samples[::2]):
        tint = (images - images[:, :1]).abs().amax(dim=(1, 2, 3)).tolist()
        assert tint[0] > 0.01
        assert tint[1] == 0
    left = BicubicDownsampling(2).A(
        report._photo(report.solution.x0)
    ) - problem.y.repeat_interleave(2, dim=0)
    assert left.abs().max() < 1e-6
    assert pose_damaged(both, Damage(colorize=True)).grey is None


def test_a_kernel_that_did_not_blur_the_photo_is_doubted(photo, gaussian_prior):
    """A sharp photo is not what the kernel makes of any photo; a blurred one is."""
    photo = photo.float()
    sharp = pose_damaged(photo[..., 6:-6, 6:-6], Damage(kernel=KERNEL))
    y = sharp.operator.A(photo[..., 3:-3, 3:-3])
    blurred = replace(sharp, y=((y + 1) * 127.5).round() / 127.5 - 1)
    walk = {"sampler": "sequential"}
    with pytest.warns(UserWarning, match=r"\|\|A x - y\|\| is \d+ times what the noise of y"):
        restore_problem(sharp, gaussian_prior, **walk)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore_problem(blurred, gaussian_prior, **walk)

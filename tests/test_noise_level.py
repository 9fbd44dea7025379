"""The noise level of a measurement, told from the measurement."""

import pytest
import torch

from deqir_lite.bundled import load_bundled_photo
from deqir_lite.operators import TASKS, Inpainting, make_task, random_mask
from deqir_lite.operators.dense import MatrixOperator
from deqir_lite.restoration import Damage, estimate_sigma_y, pose_damaged, pose_problem

SIZE = (64, 64)
GREY = ("colorization", "old-photo", "old-photo-sr2")


@pytest.fixture(scope="module")
def photos():
    return torch.cat([load_bundled_photo(name, size=64) for name in ("cat", "coffee")])


def noisy(operator, photos, level, seed=1):
    y = operator.A(photos)
    generator = torch.Generator().manual_seed(seed)
    return y + level * torch.randn(y.shape, generator=generator)


@pytest.mark.parametrize("level", [0.1, 0.3])
@pytest.mark.parametrize("task", [task for task in TASKS if task != "sr8"])
def test_finds_the_noise_whatever_was_measured(photos, task, level):
    operator = make_task(task, SIZE)
    found = estimate_sigma_y(operator, noisy(operator, photos, level))
    allowed = 0.6 if task in GREY and level == 0.1 else 0.3 if level == 0.1 else 0.2
    torch.testing.assert_close(found, torch.full((2,), level).double(), rtol=allowed, atol=0)


def test_is_exact_for_white_noise_alone(gaussian_prior):
    """With no photo in y the residual is that of the noise, but for the statistical error."""
    operator = make_task("inpaint-random", SIZE)
    noise = torch.randn(4, 3, *SIZE, generator=torch.Generator().manual_seed(1)).double()
    y = operator.A(gaussian_prior.mean(noise).expand_as(noise)) + 0.2 * noise
    found = estimate_sigma_y(operator, y, gaussian=gaussian_prior)
    values = 3 * 64 * 64 / 2
    assert (found - 0.2).abs().max() < 5 * 0.2 * 1.17 * (2 / 2 / values) ** 0.5 * 2**0.5


@pytest.mark.parametrize("task", ["inpaint-random", "deblur-motion", "sr2"])
def test_sees_little_in_photos_without_noise(photos, task):
    operator = make_task(task, SIZE)
    assert estimate_sigma_y(operator, operator.A(photos)).max() < 0.03


def test_an_image_in_a_batch_is_estimated_as_alone(photos):
    operator = make_task("inpaint-random", SIZE)
    y = noisy(operator, photos.double(), 0.1)
    alone = torch.cat([estimate_sigma_y(operator, one[None]) for one in y])
    torch.testing.assert_close(estimate_sigma_y(operator, y), alone, rtol=0, atol=1e-12)
    masks = Inpainting(torch.stack([make_task("inpaint-box", SIZE).mask[0], operator.mask[0]]))
    y = noisy(masks, photos.double(), 0.1)
    expected = estimate_sigma_y(operator, y[1:])
    torch.testing.assert_close(estimate_sigma_y(masks, y)[1:], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_will_do(photos, dtype):
    operator = make_task("sr2", SIZE)
    y = noisy(operator, photos, 0.1).to(dtype)
    assert torch.equal(estimate_sigma_y(operator, y), estimate_sigma_y(operator, y.float()))


def test_what_lies_in_the_holes_does_not_count(photos):
    operator = make_task("inpaint-text", SIZE)
    y = noisy(operator, photos, 0.1)
    full = torch.where(operator.mask.bool(), y, 1.0)
    torch.testing.assert_close(estimate_sigma_y(operator, full), estimate_sigma_y(operator, y))


def test_measurements_that_tell_nothing():
    operator = Inpainting(torch.zeros(SIZE).index_fill(0, torch.tensor([3]), 0.0))
    with pytest.raises(ValueError, match=r"^sigma_y: an estimate needs 64 measured values, but "):
        estimate_sigma_y(operator, torch.zeros(1, 3, *SIZE))
    with pytest.raises(ValueError, match=r"^y: contains NaN"):
        estimate_sigma_y(make_task("sr2", SIZE), torch.full((1, 3, 32, 32), torch.nan))
    with pytest.raises(ValueError, match=r"^sigma_y: an estimate needs photos"):
        estimate_sigma_y(MatrixOperator(torch.eye(2)), torch.zeros(1, 2))


# --- as the option of a problem ---


def test_a_problem_takes_the_estimate(photos):
    problem = pose_damaged(photos, Damage(mask=random_mask(SIZE)), sigma_y="auto")
    expected = estimate_sigma_y(problem.operator, photos)
    torch.testing.assert_close(problem.levels, expected)
    problem = pose_problem(photos, "inpaint-random", sigma_y="auto")
    torch.testing.assert_close(problem.y, problem.operator.A(photos))


def test_each_photo_of_a_problem_has_its_own_noise(photos):
    together = pose_problem(photos, "sr2", sigma_y=[0.0, 0.1])
    for k, level in enumerate([0.0, 0.1]):
        alone = pose_problem(photos[k : k + 1], "sr2", sigma_y=level)
        torch.testing.assert_close(together.y[k : k + 1], alone.y, rtol=0, atol=0)
    assert together.levels.tolist() == [0.0, 0.1]


@pytest.mark.parametrize("sigma_y", ["much", [0.1], [0.1, 0.1, 0.1], -1, [0.1, float("nan")]])
def test_noise_levels_that_a_problem_refuses(photos, sigma_y):
    message = (
        r"^sigma_y: got .*; expected a finite number >= 0, or one for each of the 2 images, "
        "or 'auto'$"
    )
    with pytest.raises(ValueError, match=message):
        pose_problem(photos, "sr2", sigma_y=sigma_y)


def test_a_noisy_measurement_given_as_exact_is_remarked_on(photos, recwarn):
    holes, grey = Damage(mask=random_mask(SIZE)), Damage(colorize=True)
    for damage, level, said in ((holes, 0.1, 1), (holes, 0.0, 0), (grey, 0.3, 1), (grey, 0.0, 0)):
        y = noisy(make_task("inpaint-random", SIZE), photos, level)
        y = y if damage is holes else photos + level * torch.randn_like(photos[:, :1])
        recwarn.clear()
        pose_damaged(y, damage)
        assert sum("is taken as exact, but looks as" in str(w.message) for w in recwarn) == said
    recwarn.clear()
    pose_damaged(y, grey, sigma_y=0.1)
    assert not recwarn

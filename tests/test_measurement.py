"""Eq. 5: the measured part from y, the rest from the prior."""

import warnings

import pytest
import torch

from deqir_lite.measurement import Measurement
from deqir_lite.operators import TASKS, DamagedPhoto, Inpainting, make_task

SIZE = (8, 8)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(params=["sr2", "deblur-gaussian", "colorization", "inpaint-random", "sensing"])
def operator(request):
    return make_task(request.param, SIZE)


@pytest.mark.equation("5")
def test_is_the_closest_photo_that_explains_y(operator):
    """A x0^ = y, and the change x0^ - x_0 has no part in the null space."""
    x0, y = randn(2, 3, *SIZE), operator.A(randn(2, 3, *SIZE, seed=1))
    corrected = Measurement(operator, y).impose(x0)
    torch.testing.assert_close(operator.A(corrected), y, rtol=0, atol=1e-10)
    change = corrected - x0
    torch.testing.assert_close(operator.range_projector(change), change, rtol=0, atol=1e-9)


def test_steps_are_corrected_together_as_alone(operator):
    y = operator.A(randn(2, 3, *SIZE, seed=1))
    measurement, stack = Measurement(operator, y), randn(4, 2, 3, *SIZE)
    for function in (measurement.impose, measurement.null):
        alone = torch.stack([function(x0) for x0 in stack])
        torch.testing.assert_close(function(stack), alone, rtol=0, atol=1e-12)


def test_each_image_keeps_its_own_mask():
    masks = (randn(2, 1, *SIZE, seed=2) > 0).double()
    y = Inpainting(masks).A(randn(2, 3, *SIZE, seed=1))
    stack = randn(3, 2, 3, *SIZE)
    got = Measurement(Inpainting(masks), y).impose(stack)
    torch.testing.assert_close(got, y + (1 - masks) * stack)


def test_a_correction_changes_nothing_twice(operator):
    measurement = Measurement(operator, operator.A(randn(1, 3, *SIZE, seed=1)))
    once = measurement.impose(randn(1, 3, *SIZE))
    torch.testing.assert_close(measurement.impose(once), once, rtol=0, atol=1e-10)


@pytest.mark.parametrize("task", list(TASKS))
def test_measurements_of_another_shape(task):
    operator = make_task(task, (16, 16))
    with pytest.raises(ValueError, match=r"^y: got"):
        Measurement(operator, torch.zeros(1, 7, 3, 3))


@pytest.mark.parametrize(
    "sigma_y",
    [
        *[-0.1, float("nan"), float("inf"), "0.1", None, True],
        *[[], [0.1], [0.1] * 3, [0.1, -0.1], [0.1, float("nan")], ["0.1", 0.1], [[0.1, 0.1]]],
        *[torch.tensor([0.1]), torch.tensor([0.1, float("inf")]), torch.tensor([[0.1, 0.1]])],
    ],
)
def test_noise_levels_that_are_none(sigma_y):
    operator = make_task("sr2", SIZE)
    message = (
        r"^sigma_y: got [^\n]*; expected a finite number >= 0, or one for each of the 2 images$"
    )
    with pytest.raises(ValueError, match=message):
        Measurement(operator, torch.zeros(2, 3, 4, 4), sigma_y=sigma_y)


@pytest.mark.parametrize("sigma_y", [0.1, [0.1, 0.1], torch.tensor([0.1, 0.1]), torch.tensor(0.1)])
def test_a_noise_level_for_all_images_or_one_for_each(sigma_y):
    m = Measurement(make_task("sr2", SIZE), torch.zeros(2, 3, 4, 4), sigma_y=sigma_y)
    torch.testing.assert_close(m.sigma_y, torch.full((2,), 0.1))
    assert m.exact == [False, False]


BLURRED = DamagedPhoto((6, 6), kernel=torch.full((3, 3), 1 / 9))  # of 8 x 8: it sees beyond


@pytest.mark.parametrize(
    ("operator", "gain"),
    [(make_task("pool4", SIZE), 0.25), (make_task("sensing", SIZE), 1.0), (BLURRED, 1.0)],
    ids=["pool4", "sensing", "no singular values"],
)
def test_noise_above_all_that_a_photo_can_be_is_refused(operator, gain):
    """No photo has a coefficient above sqrt(n), and y none above the gain times that."""
    most = gain * (3 * SIZE[0] * SIZE[1]) ** 0.5
    for level in (0.8 * most, 1.01 * most):
        y = operator.A(torch.zeros(1, 3, *SIZE).double())
        noisy = Measurement(operator, y + level * randn(*y.shape), sigma_y=level)
        if level < most:
            noisy.check_noise()
            continue
        with pytest.raises(ValueError, match=r"sigma_y: got .* so that nothing is measured"):
            noisy.check_noise()


def test_noise_in_other_units_is_warned_of():
    """25 of 255 grey values, in a y that has no such noise."""
    operator = make_task("inpaint-random", SIZE)
    y = operator.A(randn(2, 3, *SIZE).clamp(-1, 1))
    with pytest.warns(UserWarning, match=r"sigma_y: got 11, but all of y is no larger than 0\."):
        Measurement(operator, y, sigma_y=[0.2, 11.0]).check_noise()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Measurement(operator, y, sigma_y=[0.2, 0.2]).check_noise()
        Measurement(operator, y * 11, sigma_y=[0.2, 3.0]).check_noise()

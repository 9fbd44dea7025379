"""Every check lets good values pass, and names the argument in one line otherwise."""

import functools
import math

import numpy as np
import pytest
import torch

from deqir_lite.checks import (
    check_choice,
    check_deviation,
    check_divisible,
    check_finite,
    check_images,
    check_integer,
    check_interval,
    check_like,
    check_size,
    deviations,
)

IMAGE = torch.zeros(2, 3, 4, 6)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (check_choice, ("a", ["a", "b"])),
        (check_choice, ("a", {"a": 1})),
        (check_choice, ("a", iter("ab"))),
        (check_integer, (1, 1)),
        (check_interval, (0, 0, 1)),
        (check_interval, (1.0, 0, 1)),
        (check_interval, (5, 0, math.inf)),
        (check_finite, (IMAGE,)),
        (check_images, (IMAGE,)),
        (functools.partial(check_images, in_range=True), (IMAGE - 1,)),
        (check_images, (IMAGE + 7,)),
        (check_like, (IMAGE, [2, 3, 4, 6], torch.zeros(1))),
        (check_divisible, ((4, 6), 2)),
        (check_size, ((4, 6),)),
        (check_size, ([1, 1],)),
    ],
)
def test_good_values_pass(check, arguments):
    check("argument", *arguments)


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (check_choice, ("c", ["a", "b"]), "unknown value 'c'; known: a, b"),
        (check_choice, (None, iter("ab")), "known: a, b"),
        (check_choice, (np.zeros((2, 2)), ["a"]), "unknown value a ndarray of shape"),
        (check_integer, (0, 1), "got 0; expected an integer >= 1"),
        (check_integer, (1.0, 1), "got 1.0"),
        (check_integer, (True, 0), "got True"),
        (check_integer, ("3", 0), "got '3'"),
        (check_interval, (1.1, 0, 1), r"got 1.1; expected a number in \[0, 1\]"),
        (check_interval, (-0.1, 0, 1), "got -0.1"),
        (check_interval, (math.nan, 0, math.inf), "got nan"),
        (check_interval, (True, 0, 1), "got True"),
        (check_interval, (None, 0, 1), "got None"),
        (check_finite, ([1.0],), "got list; expected a torch.Tensor"),
        (check_finite, (torch.zeros(1, dtype=torch.int32),), "got dtype torch.int32"),
        (check_finite, (torch.zeros(1, dtype=torch.complex64),), "got dtype torch.complex64"),
        (check_finite, (torch.zeros(1).to(torch.float8_e5m2),), "got dtype torch.float8_e5m2"),
        (check_finite, (torch.tensor([math.nan]),), "contains NaN or infinity"),
        (check_finite, (torch.tensor([-math.inf]),), "contains NaN or infinity"),
        (check_images, (IMAGE[0],), r"got shape \(3, 4, 6\); expected \(B, 3, H, W\)"),
        (check_images, (IMAGE[:, :1],), "got shape"),
        (check_images, (IMAGE[:0],), "got shape"),
        (
            functools.partial(check_images, in_range=True),
            (IMAGE + 1.1,),
            r"values span \[1.1, 1.1\]; expected \[-1, 1\]",
        ),
        (check_images, (IMAGE * math.nan,), "contains NaN"),
        (check_like, (IMAGE, (2, 3, 4, 4), IMAGE), r"got shape \(2, 3, 4, 6\); expected"),
        (check_like, (IMAGE, IMAGE.shape, IMAGE.double()), "got torch.float32 on cpu; expected"),
        (check_divisible, ((4, 6), 4), "got size 4x6; both sides must be multiples of 4"),
        (check_divisible, ((5, 4), 2), "got size 5x4"),
        (check_divisible, ((0, 4), 2), "got size 0x4"),
        (check_size, ((4,),), "expected two positive integers"),
        (check_size, ((4, 0),), "expected two positive integers"),
        (check_size, ((4, 4.0),), "expected two positive integers"),
        (check_size, ((True, True),), "expected two positive integers"),
        (check_size, (4,), "expected two positive integers"),
        (check_size, (np.array([4, 6]),), "expected two positive integers"),
        (check_integer, (np.float32(1), 0), "got 1.0; expected an integer"),
        (check_integer, (np.bool_(True), 0), "got True; expected an integer"),
        (check_integer, (torch.tensor(True), 0), "got True; expected an integer"),
        (
            check_integer,
            (torch.tensor([1]), 0),
            r"got a Tensor of shape \(1,\); expected an integer",
        ),
        (check_integer, (torch.tensor(-1), 0), "got -1; expected an integer"),
        (
            check_interval,
            (np.array([0.5]), 0, 1),
            r"got a ndarray of shape \(1,\); expected a number",
        ),
        (check_interval, (torch.tensor(math.nan), 0, 1), "got nan; expected a number"),
        (check_interval, (np.complex64(0.5), 0, 1), r"got \(0.5\+0j\); expected a number"),
        (check_deviation, (np.float64(-1),), "got -1.0; expected a finite number >= 0"),
        (check_deviation, (np.str_("1"),), "got '1'; expected a finite number >= 0"),
        (deviations, (np.zeros(3), 2), r"got \[0.0, 0.0, 0.0\]; .* one for each of the 2 images"),
        (deviations, (np.zeros((2, 1)), 2), "one for each of the 2 images"),
        (deviations, ([0.1, True], 2), "one for each of the 2 images"),
        (deviations, (torch.tensor(-0.5), 2), "got -0.5; expected a finite number >= 0"),
    ],
)
def test_bad_values_give_one_line_that_names_the_argument(check, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        check("argument", *arguments)
    assert str(error.value).startswith("argument: ")
    assert "\n" not in str(error.value)


NUMBERS = [int, np.int64, np.uint8, np.array, torch.tensor]
"""Makers of what is an integer to its owner."""


@pytest.mark.parametrize("make", NUMBERS)
def test_whatever_is_a_number_comes_back_as_a_plain_one(make):
    whole = [check_integer("n", make(3), 1), *check_size("size", (make(3), make(3)))]
    others = [check_interval("x", make(3), 0, 5), check_deviation("sigma", make(3))]
    for number in whole + others:
        assert number == 3
        assert type(number) is int
    real = make(3) / 4  # of NumPy's and torch's own kinds
    for number in (check_interval("x", real, 0, 1), check_deviation("sigma", real)):
        assert number == 0.75
        assert type(number) is float
    assert deviations("sigma", real, 2).tolist() == [0.75, 0.75]


@pytest.mark.parametrize("make", [list, tuple, np.array, torch.tensor])
def test_one_deviation_for_each_image(make):
    assert deviations("sigma", make([0.5, 2.0]), 2).tolist() == [0.5, 2.0]
    assert deviations("sigma", [np.float32(0.5), torch.tensor(2)], 2).tolist() == [0.5, 2.0]

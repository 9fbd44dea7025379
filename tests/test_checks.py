"""Every check lets good values pass, and names the argument in one line otherwise."""

import functools
import math

import pytest
import torch

from deqir_lite.checks import (
    check_choice,
    check_divisible,
    check_finite,
    check_images,
    check_integer,
    check_interval,
    check_like,
    check_size,
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
    ],
)
def test_bad_values_give_one_line_that_names_the_argument(check, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        check("argument", *arguments)
    assert str(error.value).startswith("argument: ")
    assert "\n" not in str(error.value)

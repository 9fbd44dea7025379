"""The table of named tasks."""

import pytest
import torch

from deqir_lite.operators import TASKS, make_task

DRAWN = ["inpaint-text", "inpaint-stripe", "inpaint-box", "inpaint-random", "sensing"]
DRAWN += ["old-photo", "old-photo-sr2"]


def test_every_task_has_one_line_of_description():
    for task in TASKS.values():
        assert task.description
        assert "\n" not in task.description


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="task: unknown value 'sr3'; known: sr2, sr4") as error:
        make_task("sr3", (16, 16))
    assert all(name in str(error.value) for name in TASKS)


@pytest.mark.parametrize("name", DRAWN)
def test_same_seed_same_operator(name):
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first, again, *others = (make_task(name, (32, 32), seed=seed)(x) for seed in (3, 3, 4, 5, 6))
    assert torch.equal(first, again)
    assert not all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("sr4", (18, 16), "image_size: got size 18x16; both sides must be multiples of 4"),
        ("pool2", (16, 15), "image_size: got size 16x15; both sides must be multiples of 2"),
        ("sensing", (16, 12), "image_size: got 16x12; H \\* W must be a power of two"),
        ("old-photo-sr2", (15, 16), "mask: got size 15x16; both sides must be multiples of 2"),
        ("sr2", (16,), "image_size: "),
    ],
)
def test_sizes_that_a_task_cannot_take(name, size, message):
    with pytest.raises(ValueError, match=message):
        make_task(name, size)


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match=r"^seed: "):
        make_task("inpaint-box", (16, 16), seed=seed)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.with_mask])
def test_own_mask(name):
    mask = torch.ones(16, 16)
    mask[3:5, 7:12] = 0
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    operator = make_task(name, (16, 16), mask=mask)
    assert torch.equal(operator.mask[0, 0], mask)
    # with nothing lost, the task without its holes
    whole = make_task(name, (16, 16), mask=torch.ones(16, 16))
    lost = (whole.A(x) - operator.A(x)).abs().sum(dim=1)
    assert 0 < int((lost > 0).sum()) <= 10


def test_masks_that_do_not_fit():
    with pytest.raises(ValueError, match="mask: task sr2 has none; tasks with a mask: inpaint-tex"):
        make_task("sr2", (16, 16), mask=torch.ones(16, 16))
    with pytest.raises(ValueError, match="expected 8x8, the size of the mask"):
        make_task("inpaint-box", (16, 16), mask=torch.ones(8, 8))

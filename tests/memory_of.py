"""Run as a program: restore, and print the bytes by which the peak of this process grew.

Arguments: height, width, steps, sampler, method, window (0 for all), tile (0 for none).
"""

import sys

import torch

from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_prior
from deqir_lite.priors.tiles import Tiles, with_tiles
from deqir_lite.restoration import Problem, SolveOptions, restore_problem


def peak() -> int:
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def restore(size, steps, sampler, method, window, tile):
    operator = make_task("inpaint-stripe", size)
    y = operator.A(torch.zeros(1, 3, *size))
    prior = with_tiles(load_prior("photo64", max_batch=1), Tiles(tile) if tile else None)
    settings = {"num_steps": steps, "eta": 1.0, "spacing": "cubic"}
    solve = SolveOptions(window=window or None, max_sweeps=3, tolerance=0.0)
    restore_problem(
        Problem("inpaint-stripe", operator, y, None), prior,
        method=method, settings=settings, sampler=sampler, solve=solve,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    height, width, steps, sampler, method, window, tile = sys.argv[1:]
    how = (sampler, method, int(window), int(tile))
    import warnings

    warnings.simplefilter("ignore")
    restore((32, 32), 2, sampler, method, 0, 0)  # what is loaded and cached whatever the size
    before = peak()
    restore((int(height), int(width)), int(steps), *how)
    print(peak() - before)

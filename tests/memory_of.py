"""Run as a program: restore, and print the bytes by which the peak of this process grew.

Each argument is a case, "height,width,steps,sampler,method": a copy of this process restores it,
since libraries take longer to load than most of them, and prints one line.
"""

import os
import sys
import warnings

import torch

from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import Problem, SolveOptions, restore_problem


def peak() -> int:
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def restore(size, steps, sampler, method):
    operator = make_task("inpaint-stripe", size)
    y = operator.A(torch.zeros(1, 3, *size))
    settings = {"num_steps": steps, "eta": 1.0, "spacing": "cubic"}
    restore_problem(
        Problem("inpaint-stripe", operator, y, None), load_prior("photo64", max_batch=1),
        method=method, settings=settings, sampler=sampler,
        solve=SolveOptions(max_sweeps=3, tolerance=0.0),
    )  # fmt: skip


def measure(height, width, steps, sampler, method):
    restore((32, 32), 2, sampler, method)  # what is loaded and cached whatever the size
    before = peak()
    restore((int(height), int(width)), int(steps), sampler, method)
    print(peak() - before, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for case in sys.argv[1:]:
        copy = os.fork()
        if copy == 0:
            measure(*case.split(","))
            os._exit(0)
        if os.waitpid(copy, 0)[1]:
            sys.exit(f"failed: {case}")

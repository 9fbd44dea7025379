"""From a photo, its damage and settings to a restored photo and what is said of it."""

from deqir_lite.restoration.choice import Choice, choose
from deqir_lite.restoration.damage import Damage, pose_damaged
from deqir_lite.restoration.noise_level import estimate_sigma_y
from deqir_lite.restoration.problem import Problem, pose_problem
from deqir_lite.restoration.report import (
    SAMPLERS,
    RestorationReport,
    make_problem_chain,
    restore_problem,
)
from deqir_lite.restoration.sampling import (
    SolveOptions,
    restore_parallel,
    restore_sequential,
    solve_chain,
)

__all__ = [
    "SAMPLERS",
    "Choice",
    "Damage",
    "Problem",
    "RestorationReport",
    "SolveOptions",
    "choose",
    "estimate_sigma_y",
    "make_problem_chain",
    "pose_damaged",
    "pose_problem",
    "restore_parallel",
    "restore_problem",
    "restore_sequential",
    "solve_chain",
]

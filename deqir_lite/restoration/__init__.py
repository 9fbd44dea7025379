"""From a photo, its damage and settings to a restored photo and what is said of it."""

from deqir_lite.restoration.choice import SAMPLERS, Choice, choose
from deqir_lite.restoration.damage import Damage, pose_damaged
from deqir_lite.restoration.noise_level import estimate_sigma_y
from deqir_lite.restoration.plan import Advice, Plan, plan_restoration
from deqir_lite.restoration.problem import Problem, pose_problem
from deqir_lite.restoration.report import (
    RestorationReport,
    make_problem_chain,
    restore_problem,
)
from deqir_lite.restoration.sampling import (
    SolveOptions,
    restore_interpolated,
    restore_parallel,
    restore_sequential,
    solve_chain,
)

__all__ = [
    "SAMPLERS",
    "Advice",
    "Choice",
    "Damage",
    "Plan",
    "Problem",
    "RestorationReport",
    "SolveOptions",
    "choose",
    "estimate_sigma_y",
    "make_problem_chain",
    "plan_restoration",
    "pose_damaged",
    "pose_problem",
    "restore_interpolated",
    "restore_parallel",
    "restore_problem",
    "restore_sequential",
    "solve_chain",
]

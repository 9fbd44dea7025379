"""The public names of the package, all imported; the package itself imports this when the first of
them is asked for."""

from deqir_lite.baselines import gaussian_mean, simple_answer
from deqir_lite.bundled import load_bundled_photo, photo_names
from deqir_lite.certificate import Certificate
from deqir_lite.chain import PAPER, PICTURE, RestorationChain, make_chain
from deqir_lite.images import load_photo, save_image
from deqir_lite.inversion import optimize_initial_noise, solve_implicit
from deqir_lite.metrics import lpips, measurement_consistency, psnr, ssim
from deqir_lite.operators import TASKS, LinearOperator, make_task
from deqir_lite.priors import GaussianMixturePrior, GaussianPrior, ModelPrior
from deqir_lite.priors.load import load_gaussian, load_prior
from deqir_lite.restoration import (
    Damage,
    SolveOptions,
    estimate_sigma_y,
    pose_damaged,
    pose_problem,
    restore_interpolated,
    restore_parallel,
    restore_problem,
    restore_sequential,
)
from deqir_lite.solvers import Anderson, Picard, Solution

__all__ = [
    "PAPER",
    "PICTURE",
    "TASKS",
    "Anderson",
    "Certificate",
    "Damage",
    "GaussianMixturePrior",
    "GaussianPrior",
    "LinearOperator",
    "ModelPrior",
    "Picard",
    "RestorationChain",
    "Solution",
    "SolveOptions",
    "estimate_sigma_y",
    "gaussian_mean",
    "load_bundled_photo",
    "load_gaussian",
    "load_photo",
    "load_prior",
    "lpips",
    "make_chain",
    "make_task",
    "measurement_consistency",
    "optimize_initial_noise",
    "photo_names",
    "pose_damaged",
    "pose_problem",
    "psnr",
    "restore_interpolated",
    "restore_parallel",
    "restore_problem",
    "restore_sequential",
    "save_image",
    "simple_answer",
    "solve_implicit",
    "ssim",
]

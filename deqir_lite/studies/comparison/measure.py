"""One restoration and its numbers."""

import time
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deqir_lite.baselines import baseline_of
from deqir_lite.defaults import X0_TOLERANCE
from deqir_lite.fixedpoint.forms import read_form
from deqir_lite.images import to_uint8
from deqir_lite.memory import watch_peak
from deqir_lite.metrics import (
    FEATURES_SMALLEST_SIDE,
    LPIPS_SMALLEST_SIDE,
    SSIM_WINDOW,
    FeaturesUnavailable,
    InceptionUnavailable,
    feature_distance,
    feature_network,
    inception_features,
    inception_network,
    lpips,
    lpips_network,
    mean_features,
    measurement_consistency,
    psnr,
    ssim,
)
from deqir_lite.metrics.perceptual import LPIPSUnavailable
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian_posterior import GaussianPosterior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import Advice, Problem, SolveOptions, plan_restoration, restore_problem
from deqir_lite.studies.comparison.networks import Network
from deqir_lite.studies.comparison.rows import Row, pack_features, pack_picture
from deqir_lite.studies.comparison.settings import SEQUENTIAL, SIMPLE, Setting

BORDER = 4
"""Pixels that the published code of DeqIR leaves out on each side."""


def lpips_here() -> str | None:
    """The network of LPIPS that can be used: the paper's, else the usual one, else None."""
    for net in ("vgg", "alex"):
        try:
            lpips_network(net)
        except LPIPSUnavailable:
            continue
        return net
    return None


def features_here() -> str | None:
    """The network of feature distances, or None where it is not."""
    try:
        feature_network()
    except FeaturesUnavailable:
        return None
    return "efficientnet-lite0"


def inception_here() -> str | None:
    """The network of FID, or None where it is not."""
    try:
        inception_network()
    except InceptionUnavailable:
        return None
    return "inception-v3-compat"


def measure(
    setting: Setting,
    truth: Tensor,
    prior: Prior,
    *,
    photo: str,
    seed: int,
    net: str | None,
    features: str | None = None,
    inception: str | None = None,
    pictures: bool = False,
    networks: Mapping[str, Network] | None = None,
) -> Row:
    """Degrade the photo ``truth`` (1, 3, H, W), restore it with one seed, score it.

    A parallel solve stops as that of the command does. ``net``, ``features``, ``inception``: the
    network of LPIPS, of feature distances and of FID, or None; ``pictures``: the row has x_0 as a
    picture; ``networks``: those that restore y directly, by name.
    Where the method fails on this photo the row says why; ValueError only where memory does not
    suffice.
    """
    who: dict[str, Any] = setting._asdict() | {"photo": photo, "seed": seed}
    problem = setting.pose(truth)
    peak = watch_peak(truth.device)
    try:
        network = (networks or {}).get(setting.method)
        x0, cost = (
            _directly(network, problem, seed)
            if network
            else _restore(setting, problem, prior, seed)
        )
    except _Failed as error:
        return Row(**who, failed=" ".join(str(error).split()))
    cost["peak_bytes"] = peak()
    quality = _quality(problem, x0, net)
    if features is not None and min(truth.shape[-2:]) >= FEATURES_SMALLEST_SIDE:
        quality |= _features(x0, truth)
    if inception is not None:
        both = torch.cat([x0.clamp(-1, 1), truth])
        quality["inception"] = pack_features(inception_features(both))
    if pictures:
        quality["picture"] = pack_picture(x0)
    return Row(**who | cost | quality)


def _directly(network: Network, problem: Problem, seed: int) -> tuple[Tensor, dict[str, Any]]:
    """As :func:`_restore`; what it asks is another network than the prior's."""
    start = time.perf_counter()
    try:
        x0 = network.solve(problem, seed)
    except ValueError as error:
        raise _Failed(str(error)) from error
    return x0, {"seconds": time.perf_counter() - start, "nfe": network.num_steps or None}


class _Failed(ValueError):
    """A method that fails on a photo."""


def _restore(
    setting: Setting, problem: Problem, prior: Prior, seed: int
) -> tuple[Tensor, dict[str, Any]]:
    """x_0 (1, 3, H, W), not clamped, and what it took."""
    if setting.method in SIMPLE:
        operator, y, start = problem.operator, problem.y, time.perf_counter()
        if setting.method == "gaussian":
            x0 = _gaussian_mean(problem, prior)
        elif setting.method == "pinv":
            x0 = operator.pinv(y)
        else:
            x0 = baseline_of(operator).restore(operator, y)
        return x0, {"nfe": 0, "sweeps": 0, "seconds": time.perf_counter() - start}
    walk = setting.form == SEQUENTIAL
    by_picture = not walk and read_form(setting.form)[0] == "gaussian"
    planned = plan_restoration(
        problem,
        prior,
        method=setting.method,
        num_steps=setting.timesteps,
        sampler="sequential" if walk else "parallel",
        max_batch=getattr(prior, "max_batch", None),
        advice=Advice("smaller --sizes", "--forms none"),
    )
    solve = SolveOptions(
        form="gaussian" if walk else setting.form,
        x0_tolerance=X0_TOLERANCE if by_picture else None,
        window=planned.window,
    )
    with warnings.catch_warnings():
        # What is known beforehand was said once; what comes out, the numbers say.
        for text in ("sigma_y: ", r"\|\|A x - y\|\|"):
            warnings.filterwarnings("ignore", message=text)
        try:
            report = restore_problem(
                problem,
                planned.prior,
                method=setting.method,
                settings=setting.chain,
                seed=seed,
                sampler=planned.sampler,
                solve=solve,
            )
        except ValueError as error:
            raise _Failed(str(error)) from error
    solution = report.solution
    if not bool(torch.isfinite(solution.x0).all()):
        raise _Failed("x_0 has become infinite")
    return solution.x0, {
        "nfe": solution.nfe,
        "sweeps": solution.sweeps,
        "seconds": report.seconds,
    }


def _gaussian_mean(problem: Problem, prior: Prior) -> Tensor:
    """E[x_0 | y] under the Gaussian part of the prior."""
    y, sigma_y = problem.y, float(problem.levels[0])
    try:
        posterior = GaussianPosterior(
            gaussian_of(prior), problem.operator, y.double(), sigma_y=sigma_y, tolerance=1e-5
        )
        return posterior.mean().to(y)
    except ValueError as error:
        raise _Failed(str(error)) from error


def _quality(problem: Problem, x0: Tensor, net: str | None) -> dict[str, Any]:
    truth, side = problem.truth, min(x0.shape[-2:])
    assert truth is not None
    clamped, unit = x0.clamp(-1, 1), (-1.0, 1.0)
    rounded = torch.from_numpy(to_uint8(x0)).movedim(-1, -3).to(x0) / 127.5 - 1
    far = [
        float(measurement_consistency(problem.operator, image, problem.y, order=1)) / 2
        for image in (x0, rounded)
    ]
    return {
        "psnr": float(psnr(clamped, truth, data_range=unit)),
        "psnr_cropped": (
            float(psnr(clamped, truth, crop_border=BORDER, data_range=unit))
            if side > 2 * BORDER
            else None
        ),
        "ssim": float(ssim(clamped, truth, data_range=unit)) if side >= SSIM_WINDOW else None,
        "lpips": (
            float(lpips(clamped, truth, net=net)) if net and side >= LPIPS_SMALLEST_SIDE else None
        ),
        "consistency": far[0],
        "consistency_8bit": far[1],
    }


def _features(x0: Tensor, truth: Tensor) -> dict[str, Any]:
    clamped = x0.clamp(-1, 1)
    return {
        "lite0_relative": float(feature_distance(clamped, truth)),
        "features": pack_features(mean_features(torch.cat([clamped, truth]))),
    }

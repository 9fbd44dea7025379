"""The sentences around the tables: what the numbers mean, and how they were computed."""

import math
from collections.abc import Sequence

from deqir_lite.evaluation.photos import measures_brightness
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.references import TV_WEIGHTS
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import MASK_SEED
from deqir_lite.evaluation.summary import Line, first_stage, summarise

INTRODUCTION = """PSNR in dB, averaged over the photos. All images are clamped to the range of a \
photo before they are scored. "A⁺y" is the pseudo-inverse of the task, applied to the measurement \
y. "baseline" is a simple method, named in each row. "TV" is total variation, and "Gaussian" the \
posterior mean of the Gaussian photo prior. "one" is the average PSNR of the single samples of \
this prior, over all seeds that were drawn; "mean" is the PSNR of the mean of these samples, where \
there are several. The goals of a task are that "mean" is above "TV" and above "Gaussian"; some \
tasks also have goals of their own: a margin over "TV", or over one more method."""


def nature(results: Results) -> str:
    """What a single sample lacks by nature, and what it lacks in these tables; or nothing."""
    gaps = [
        mean - one
        for line in summarise(results)
        if (mean := line.psnr["mean"]) is not None and (one := line.psnr["one"]) is not None
    ]
    if not gaps:
        return ""
    seeds = results.settings["seeds"]
    return (
        "One exact posterior sample has twice the expected squared error of the posterior mean: "
        f"its PSNR is about 10 log₁₀ 2 = {_decibels(2):.2f} dB lower. Against the mean of {seeds} "
        f"such samples it is 10 log₁₀(2 / (1 + 1/{seeds})) = {_decibels(2 / (1 + 1 / seeds)):.2f} "
        f'dB. In these tables "one" is {_span(gaps)} dB below "mean": less where the samples are '
        "alike and share their error."
    )


def sampler(seeds: int, size: int, gains: Sequence[str]) -> str:
    """Why the mean of the samples of a known prior is not its posterior mean.

    ``gains`` names the tasks where it is better.
    """
    text = _SAMPLER.format(size=size, seeds=seeds, few=_decibels(1 + 1 / seeds))
    return text + (_GAINS.format(tasks=", ".join(gains)) if gains else "")


_SAMPLER = """The posterior mean of the Gaussian prior is known exactly. Here the same chains, of \
the same seeds, are walked with that prior at {size} pixels, and the mean of their {seeds} samples \
is compared with it. Mostly it is worse, for two reasons, and neither has to do with the network. \
There are only {seeds} samples: were they exact, this alone would cost \
10 log₁₀(1 + 1/{seeds}) = {few:.2f} dB on average over pictures drawn from the prior, and more \
seeds would regain it. The rest is lost because the chain fits every step to y, but does not draw \
exactly from the posterior."""

_GAINS = """ A positive difference ({tasks}) is no contradiction. The posterior mean has the \
smallest squared error on average over pictures drawn from the Gaussian prior, not for every real \
photo: it may, for example, predict the colours of one badly. Besides, images are clamped before \
PSNR is taken, and PSNR is averaged, not squared error."""


def figure(results: Results, file: str, pictures: Pictures) -> str:
    """The figure at the address ``file``; what it shows, as far as ``pictures`` tell."""
    image = f"![{_COLUMNS}]({file})"
    if not pictures.rows:
        return image
    size, steps = first_stage(pictures.rows)
    photo = _shown_photo(results, size) or "a photo"
    return (
        f"{image}\n\nThis is {photo} at {size} pixels, restored with chains of T = {steps} steps."
    )


_COLUMNS = (
    "One photo in every task: the photo, A⁺y, the baseline, one sample and the mean of all samples"
)


def _shown_photo(results: Results, size: int) -> str:
    """The name of the first coloured photo at a size; nothing when colour is not known.

    Known to be coloured are the photos on which a task that measures brightness was computed, and
    the first photos are computed first.
    """
    coloured = {
        photo for task, n, photo in results.references if n == size and measures_brightness(task)
    }
    return next((photo for photo in results.settings["photos"] if photo in coloured), "")


def settings(results: Results) -> str:
    """Photos, masks, chains, eta, TV, machine: sentences about all that the numbers share."""
    lines = summarise(results)
    own = bool(results.context.get("photos"))
    whose = "Photos" if own else _BUNDLED
    sentences = [
        f"{whose}: {', '.join(results.settings['photos'])}; cropped to the centred square and "
        "resized. Tasks that measure brightness alone are judged on the colour photos. Masks are "
        f"those of seed {MASK_SEED}.",
        *_chains(results, lines),
        *_eta(lines),
        f"TV: A⁺y, smoothed {len(TV_WEIGHTS)} times by scikit-image's denoise_tv_chambolle, with "
        f"a weight that falls from {TV_WEIGHTS[0]:g} to {TV_WEIGHTS[-1]:g}, and corrected to fit "
        "y after each.",
        *_machine(results, lines),
    ]
    return " ".join(sentences)


_BUNDLED = "The photos that come with the book, none of them used to train a prior of the book"


def _chains(results: Results, lines: Sequence[Line]) -> list[str]:
    seeds = {line.seeds for line in lines if line.seeds}
    if not seeds:
        return []
    several = f"the seeds 0 to {max(seeds) - 1}" + (", or 0 alone," if 1 in seeds else "")
    which = several if max(seeds) > 1 else "seed 0"
    return [
        f"The chains have {which} and are walked step by step (sequentially). Their timesteps "
        f"follow a power law of exponent {results.settings['spacing']:g}."
    ]


def _eta(lines: Sequence[Line]) -> list[str]:
    if not any(len(line.etas) > 1 for line in lines):
        return []
    return [
        "Where several values of eta are listed, the one with the best mean was chosen, on these "
        "photos."
    ]


def _machine(results: Results, lines: Sequence[Line]) -> list[str]:
    """Device, precision and versions, each where it is known; the network only where it ran."""
    found = []
    if results.context.get("devices"):
        found.append(f"Device: {'; '.join(results.context['devices'])}.")
    if any(line.seeds for line in lines):
        found.append(f"Precision inside the network: {results.settings['dtype']}.")
    versions = results.context.get("versions", {})
    if versions:
        found.append(f"Versions: {', '.join(f'{name} {v}' for name, v in versions.items())}.")
    return found


def _decibels(ratio: float) -> float:
    """A ratio of mean squared errors in dB of PSNR."""
    return 10 * math.log10(ratio)


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"

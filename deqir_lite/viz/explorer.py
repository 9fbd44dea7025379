"""A restoration with its settings at hand: drop-downs in a live notebook, a picture in the book."""

import base64
import html
import traceback
import warnings
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets
import torch

from deqir_lite.chain import PICTURE, ChainSettings
from deqir_lite.checks import check_images
from deqir_lite.defaults import FORM, SOLVER
from deqir_lite.fixedpoint import FORMS
from deqir_lite.metrics import psnr
from deqir_lite.operators import TASKS
from deqir_lite.priors.base import Prior
from deqir_lite.restoration import SolveOptions, pose_problem, restore_problem
from deqir_lite.solvers import SOLVERS
from deqir_lite.viz.gallery import show_images
from deqir_lite.viz.style import BookFigure

_STEPS = (5, 10, 20, 50)
_NEEDS_KERNEL = (
    "In a running notebook this picture has drop-downs, and is computed again for every choice. "
    "A page of the book has no kernel and shows the first one."
)


@dataclass(frozen=True)
class ExplorerSettings:
    """Settings of a restoration."""

    task: str
    eta: float
    num_steps: int
    form: str
    solver: str
    seed: int


@dataclass(frozen=True)
class _Shown:
    """A figure, and what it shows in words."""

    figure: BookFigure
    alt: str
    caption: str


def show_restoration(
    photo: torch.Tensor,
    prior: Prior,
    *,
    task: str = "inpaint-random",
    eta: float = 1.0,
    num_steps: int = 20,
    form: str = FORM,
    solver: str = SOLVER,
    seed: int = 0,
) -> BookFigure:
    """Degrade a photo, restore it step by step and all at once, and show it beside both.

    There are five pictures: the pseudo-inverse, the usual answer without a prior, the two
    restorations and the photo.

    Args:
        photo: one photo (1, 3, H, W) in [-1, 1].
        prior: predicts the noise, as ``load_prior`` returns it.
        task: a key of ``TASKS``.
        eta: share of fresh noise in every step, in [0, 1].
        num_steps: T, the number of steps of the chain.
        form, solver: as :func:`restore_parallel` takes them.
        seed: of all noise of the chain.

    Raises ValueError as the functions do that it calls.
    """
    return _restored(
        photo, prior, ExplorerSettings(task, eta, num_steps, form, solver, seed)
    ).figure


def explore_restoration(
    photo: torch.Tensor,
    prior: Prior,
    *,
    task: str = "inpaint-random",
    eta: float = 1.0,
    num_steps: int = 20,
    form: str = FORM,
    solver: str = SOLVER,
    seed: int = 0,
) -> "RestorationExplorer":
    """Put :func:`show_restoration` under drop-downs and sliders; the last line of a cell.

    Call the plain function first: its errors stop the notebook. An error after a choice is shown
    under the controls, beside the last picture that worked.

    The arguments are those of :func:`show_restoration`, settings to begin with; ``seed`` stays.
    Raises ValueError where these do not work.
    """
    return RestorationExplorer(
        photo, prior, ExplorerSettings(task, eta, num_steps, form, solver, seed)
    )


class RestorationExplorer:
    """The widget of :func:`explore_restoration`.

    Attributes:
        controls: name of a setting -> its ipywidget.
        message: what went wrong with the last choice; empty when nothing did.
        picture: the last picture that worked, as HTML with its description.
    """

    def __init__(self, photo: torch.Tensor, prior: Prior, first: ExplorerSettings) -> None:
        self._photo, self._prior, self._first = photo, prior, first
        self._shown = _restored(photo, prior, first)
        wide = {"description_width": "5em"}
        steps = sorted({*_STEPS, first.num_steps})
        forms = list(dict.fromkeys([FORM, *FORMS, first.form]))
        self.controls = {
            "task": ipywidgets.Dropdown(options=list(TASKS), description="Task", style=wide),
            "eta": ipywidgets.FloatSlider(
                min=0, max=1, step=0.05, description="eta", continuous_update=False, style=wide
            ),
            "num_steps": ipywidgets.SelectionSlider(
                options=steps, description="Steps T", continuous_update=False, style=wide
            ),
            "form": ipywidgets.Dropdown(options=forms, description="Form", style=wide),
            "solver": ipywidgets.Dropdown(options=list(SOLVERS), description="Solver", style=wide),
        }
        self.message = ipywidgets.HTML()
        self.picture = ipywidgets.HTML(_image(self._shown))
        for name, control in self.controls.items():
            control.value = getattr(first, name)
            control.observe(self._update, names="value")
        self.widget = ipywidgets.VBox([*self.controls.values(), self.message, self.picture])

    def _update(self, change: Any) -> None:
        """Compute again; whatever goes wrong is shown, because a callback cannot raise it."""
        chosen = {name: control.value for name, control in self.controls.items()}
        self.message.value = "<em>Solving ...</em>"
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                choice = replace(self._first, **chosen)
                self._shown = _restored(self._photo, self._prior, choice)
        except Exception as error:
            self.message.value = _alert(error)
        else:
            self.picture.value = _image(self._shown)
            lines = [html.escape(f"{w.category.__name__}: {w.message}") for w in caught]
            self.message.value = "<br>".join(lines)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return the widget for a live notebook, and the picture for everything else."""
        still = _image(self._shown) + f"<p>{_NEEDS_KERNEL}</p>"
        return {
            **self.widget._repr_mimebundle_(),
            "text/plain": self._shown.alt,
            "text/html": f'<div class="restoration-explorer">{still}</div>',
            "image/png": base64.b64encode(self._shown.figure._repr_png_()).decode(),
        }


def _restored(photo: torch.Tensor, prior: Prior, choice: ExplorerSettings) -> _Shown:
    check_images("photo", photo, in_range=True)
    if len(photo) != 1:
        raise ValueError(f"photo: got {len(photo)} photos; expected one")
    problem = pose_problem(photo, choice.task)
    settings: ChainSettings = {**PICTURE, "num_steps": choice.num_steps, "eta": choice.eta}
    step_by_step, at_once = (
        restore_problem(
            problem,
            prior,
            method="ddnm",
            settings=settings,
            seed=choice.seed,
            sampler=sampler,
            solve=SolveOptions(form=choice.form, solver=choice.solver),
        )
        for sampler in ("sequential", "parallel")
    )
    name, simple = at_once.simple
    pinv, x0 = problem.operator.pinv(problem.y), at_once.solution.x0
    sweeps = at_once.solution.sweeps
    before, without, after = (float(psnr(x, photo)) for x in (pinv, simple, x0))
    agreement = psnr(x0, step_by_step.solution.x0, data_range=(-1, 1)).item()
    titles = [
        f"measured: {before:.1f} dB",
        f"without a prior, {name}: {without:.1f} dB",
        f"step by step: {step_by_step.solution.nfe} evaluations, one by one",
        f"all at once: {sweeps} sweeps, {at_once.solution.nfe} evaluations, {after:.1f} dB",
        "photo",
    ]
    pictures = [pinv[0], simple[0], step_by_step.solution.x0[0], x0[0], photo[0]]
    alt = (
        f"Five pictures for the task {choice.task}, eta {choice.eta:g}, T = {choice.num_steps}, "
        f"{choice.form} form, {choice.solver}: the measurement at {before:.1f} dB, the usual "
        f"answer without a prior ({name}) at {without:.1f} dB, the step-by-step restoration, the "
        f"restoration all at once after {sweeps} sweeps at {after:.1f} dB, and the photo."
    )
    caption = f"The two restorations agree to {agreement:.0f} dB."
    return _Shown(show_images(pictures, titles=titles), alt, caption)


def _image(shown: _Shown) -> str:
    data = base64.b64encode(shown.figure._repr_png_()).decode()
    return (
        f'<img class="dark-light" alt="{html.escape(shown.alt)}" style="max-width:100%" '
        f'src="data:image/png;base64,{data}"><p>{shown.caption}</p>'
    )


def _alert(error: Exception) -> str:
    """Return an error in one line, its traceback folded below it."""
    line = html.escape(f"{type(error).__name__}: {error}")
    trace = html.escape("".join(traceback.format_exception(error)))
    return (
        f'<div role="alert"><strong>{line}</strong><br>The picture is that of the last choice '
        f"that worked.<details><summary>Traceback</summary><pre>{trace}</pre></details></div>"
    )

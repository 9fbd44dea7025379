"""What a prior is: a noise predictor eps_theta(x_t, t), and how other predictions become one."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch

from deqir_lite._repr import short
from deqir_lite.checks import check_choice, check_kinds
from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.halving import Halving
from deqir_lite.priors.tiles import Tiles, on_tiles
from deqir_lite.schedule import NoiseSchedule

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
"""The precisions inside a network; bfloat16 is torch's autocast: weights stay in float32."""


@runtime_checkable
class Prior(Protocol):
    """A noise predictor with the schedule that it belongs to.

    ``prior(x_t, t)``: noisy images x_t (B, 3, H, W) in the model's range (photos in [-1, 1])
    and int64 timesteps t (B,), to the predicted noise eps (B, 3, H, W) (eps_theta of Prop. 1).
    """

    schedule: NoiseSchedule

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor: ...


def predict_x0(
    x_t: torch.Tensor, eps: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """x_{0|t} = (x_t - sqrt(1 - abar_t) eps) / sqrt(abar_t), which Eq. 5 corrects.

    ``signal`` = sqrt(abar_t) and ``noise`` = sqrt(1 - abar_t), as :meth:`NoiseSchedule.at` gives
    them.
    """
    return (x_t - noise * eps) / signal


def epsilon_from_x0(
    x_t: torch.Tensor, x0: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """The noise that turns x_0 into x_t (Eq. 2): inverse of :func:`predict_x0`."""
    return (x_t - signal * x0) / noise


def to_epsilon(
    output: torch.Tensor,
    x_t: torch.Tensor,
    signal: torch.Tensor,
    noise: torch.Tensor,
    prediction_type: str,
) -> torch.Tensor:
    """Predicted noise from a model output of any prediction type.

    ``epsilon``: the noise itself; ``v_prediction``: v = sqrt(abar) eps - sqrt(1 - abar) x_0,
    so eps = sqrt(abar) v + sqrt(1 - abar) x_t; ``sample``: x_0. Names as in diffusers.
    """
    check_choice("prediction_type", prediction_type, PREDICTION_TYPES)
    if prediction_type == "epsilon":
        return output
    if prediction_type == "v_prediction":
        return signal * output + noise * x_t
    return epsilon_from_x0(x_t, output, signal, noise)


class ModelPrior:
    """A prior from any callable model(x_t, t) -> output.

    ``clip_x0`` clamps the implied x_0 to [-1, 1] and returns the noise that fits it. DDNM, DDRM
    and the paper do not clip; DPS, DiffPIR, ILVR and RePaint do. ``tiles``: what the model is
    asked about at once, by default the whole image, see
    :func:`deqir_lite.priors.tiles.with_tiles`.
    """

    tiles: Tiles | None = None

    def __init__(
        self,
        model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        schedule: NoiseSchedule,
        *,
        prediction_type: str = "epsilon",
        clip_x0: bool = False,
    ) -> None:
        check_kinds(ModelPrior.__init__, locals())
        check_choice("prediction_type", prediction_type, PREDICTION_TYPES)
        self.model = model
        self.schedule = schedule
        self.prediction_type = prediction_type
        self.halving = Halving()
        self.clip_x0 = clip_x0

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps_theta(x_t, t) for x_t (B, 3, H, W) and t (B,).

        Raises ValueError, naming the model, when that fails or returns anything but a tensor like
        x_t.
        """
        output = self._ask(x_t, t)
        signal, noise = self.schedule.at(t, x_t)
        eps = to_epsilon(output, x_t, signal, noise, self.prediction_type)
        if self.clip_x0:
            x0 = predict_x0(x_t, eps, signal, noise).clamp(-1, 1)
            eps = epsilon_from_x0(x_t, x0, signal, noise)
        return eps

    def _ask(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return on_tiles(
            lambda x, time: ask(self.model, x, time),
            x_t,
            t,
            tiles=self.tiles,
            halving=self.halving,
        )

    def __repr__(self) -> str:
        kind, steps = self.prediction_type, self.schedule.num_train_timesteps
        clipped = ", clip_x0=True" if self.clip_x0 else ""
        return f"{type(self).__name__}({short(self.model)}, {kind}, N={steps}{clipped})"


def ask(
    model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], x_t: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """model(x_t, t) of somebody else's ``model``, like x_t; ValueError in one line when it is not,
    or when the model raises. Whether it is finite is seen by who restores with it."""
    name = model_name(model)
    try:
        output = model(x_t, t)
    except Exception as error:  # the reader's code can raise anything
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"prior: {name} raised {type(error).__name__}: {reason}") from error
    if not isinstance(output, torch.Tensor):
        raise ValueError(f"prior: {name} returned {type(output).__name__}; expected a torch.Tensor")
    if output.shape != x_t.shape:
        raise ValueError(
            f"prior: {name} returned shape {tuple(output.shape)} for x_t {tuple(x_t.shape)}; "
            "expected the same shape"
        )
    if not output.is_floating_point() or output.device != x_t.device:
        raise ValueError(
            f"prior: {name} returned {output.dtype} on {output.device}; expected a floating-point "
            f"dtype on {x_t.device}"
        )
    return output.to(x_t.dtype)


def model_name(model: object) -> str:
    """What messages call a model: the name of a function, the class of anything else."""
    return getattr(model, "__name__", type(model).__name__)

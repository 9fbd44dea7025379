"""The table alpha_bar of a diffusion, and the timesteps that a chain retains of it."""

from deqir_lite.schedule.grid import (
    RETURNS_FROM,
    SPACINGS,
    spacing_power,
    timestep_grid,
    with_returns,
)
from deqir_lite.schedule.table import (
    NoiseSchedule,
    cosine_schedule,
    linear_schedule,
)

__all__ = [
    "RETURNS_FROM",
    "SPACINGS",
    "NoiseSchedule",
    "cosine_schedule",
    "linear_schedule",
    "spacing_power",
    "timestep_grid",
    "with_returns",
]

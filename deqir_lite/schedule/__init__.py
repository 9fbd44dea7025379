"""The table alpha_bar of a diffusion, and the timesteps that a chain retains of it."""

from deqir_lite.schedule.grid import SPACINGS, spacing_power, timestep_grid
from deqir_lite.schedule.table import (
    SCHEDULES,
    NoiseSchedule,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
)

__all__ = [
    "SCHEDULES",
    "SPACINGS",
    "NoiseSchedule",
    "cosine_schedule",
    "linear_schedule",
    "scaled_linear_schedule",
    "spacing_power",
    "timestep_grid",
]

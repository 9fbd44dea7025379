"""What config.json of a network that was trained for one task holds."""

from typing import Literal

from pydantic import Field

from deqir_lite.priors.schemas import Count, ShapeConfig


class TaskConfig(ShapeConfig):
    """config.json: what was trained, for which task, and the shape of its network."""

    class_name: Literal["RegressionNetwork", "Palette"] = Field(alias="_class_name")
    task: str
    num_train_timesteps: Count = 1000

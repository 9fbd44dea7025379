"""What config.json of a GAN holds."""

from typing import Literal

from pydantic import Field

from deqir_lite._json import Schema
from deqir_lite.priors.schemas import Levels, Width


class GanConfig(Schema):
    """config.json: the shape of a generator."""

    class_name: Literal["PhotoGAN"] = Field(alias="_class_name")
    widths: Levels
    latent: Width

"""What evaluation.json holds."""

from typing import Annotated, Any, Literal

from pydantic import Field

from deqir_lite._json import Number, Schema, Text

FORMAT = 3
"""The numbers of the chains that were usual in earlier ones are not mixed with those of today."""


class ScoresOfImage(Schema):
    """Of one image; SSIM is None where it is undefined."""

    psnr: Number
    ssim: Number | None


class ScoresOfSeeds(Schema):
    """Of the samples of one photo, seed by seed."""

    psnr: Annotated[list[Number], Field(min_length=1)]
    ssim: list[Number | None]


class ReferencesRow(Schema):
    """The simpler methods on one photo."""

    task: str
    size: int
    photo: Text
    pinv: ScoresOfImage
    baseline: ScoresOfImage
    tv: ScoresOfImage
    gaussian: ScoresOfImage


class SamplesRow(Schema):
    """The prior on one photo."""

    task: str
    size: int
    timesteps: int
    eta: float
    photo: Text
    single: ScoresOfSeeds
    mean: ScoresOfImage
    seconds: Number
    gaussian: ScoresOfImage | None = None


class SettingsOfAll(Schema):
    """What all numbers share."""

    prior: Text
    photos: dict[Text, str]
    seeds: int
    all_seeds: bool
    spacing: float
    dtype: str


class ResultsFile(Schema):
    """The whole file."""

    format: Literal[3]
    settings: SettingsOfAll
    context: dict[str, Any]
    references: list[ReferencesRow]
    samples: list[SamplesRow]

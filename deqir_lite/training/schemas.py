"""What the files of a training run hold, one schema each."""

from typing import Annotated, Any

from pydantic import Field

from deqir_lite._json import Schema, Text

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Scores(Schema):
    """A validation: the loss, and by name, psnr_t20 for example, dB at timesteps, and others."""

    __pydantic_extra__: dict[str, float]
    loss: float

    @property
    def psnr(self) -> dict[str, float]:
        """dB by timestep."""
        found = self.__pydantic_extra__.items()
        return {k.removeprefix("psnr_t"): v for k, v in found if k.startswith("psnr_t")}


class HistoryEntry(Scores):
    """A validation during training."""

    step: Count
    crops: Count
    minutes: Seconds
    crops_per_second: Seconds
    ema_decay: float


class RecipeFields(Schema):
    """The fields of a :class:`~deqir_lite.training.recipe.Recipe` that a card tells of."""

    channels: list[int]
    blocks: int
    patch: int
    crop: int
    final_crop: int
    batch: int
    muon_lr: float
    adam_lr: float
    warmup: int
    decay: float
    low_noise: float
    ema_decays: list[float]
    num_train_timesteps: int
    seed: int


class Beginning(Schema):
    """The prior that a run began with: its digest, and its training, where that is known."""

    digest: str
    crops: Count = 0
    minutes: Seconds = 0.0


class Photos(Schema):
    """What a run was trained on."""

    training: Count
    held_out: Count
    dead_leaves: float
    note: Text


class TrainingLog(Schema):
    """training_log.json."""

    recipe: RecipeFields
    photos: Photos
    hardware: Text
    parameters: Count
    began_with: Beginning | None
    crops: Count
    history: Annotated[list[HistoryEntry], Field(min_length=1)]


class StateFile(Schema):
    """training.pt, beside its tensors, which the network and the optimisers check; older ones do
    not tell of their data, and some runs have no e(t)."""

    recipe: dict[str, Any]
    network: dict[str, Any]
    scale: Any = None
    averages: Any
    optimizers: list[Any]
    generator: Any
    device: str
    step: Count
    crops: Count
    seconds: Seconds
    history: list[HistoryEntry]
    data_note: Text
    data: dict[str, float] | None = None
    began_with: Beginning | None


class RecipeRow(Scores):
    """What one recipe of a comparison gave."""

    change: str = ""
    steps: Count
    crops: Count
    params: Count
    warmup: Count = 0


class Comparison(Schema):
    """comparison.json."""

    minutes: Annotated[float, Field(gt=0)]
    hardware: Text
    seconds_per_step: dict[str, dict[str, Seconds]] = Field(default_factory=dict)
    recipes: dict[str, RecipeRow]


class JudgedPrior(Schema):
    """Of the settings in evaluation.json: which weights were judged."""

    prior: str


class Judged(Schema):
    """Of evaluation.json: the settings."""

    settings: JudgedPrior

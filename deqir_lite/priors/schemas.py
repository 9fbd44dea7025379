"""What the JSON files of a prior's folder hold, one schema each; diffusers writes all but one."""

from typing import Annotated, Any, Literal

from pydantic import Field

from deqir_lite._json import Schema

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""More than any table or network has that fits a machine."""

Width = Annotated[int, Field(ge=1, le=16_384)]
Depth = Annotated[int, Field(ge=1, le=100)]


Levels = Annotated[list[Width], Field(min_length=1, max_length=12)]


class ShapeConfig(Schema):
    """The shape of a :class:`ResidualUNet`."""

    channels: Levels
    blocks: Depth
    patch: Annotated[int, Field(ge=1, le=64)]


class ResidualConfig(ShapeConfig):
    """config.json of a :class:`ResidualPrior`: the shape of its network and its schedule."""

    class_name: Literal["ResidualPrior"] = Field(alias="_class_name")
    num_train_timesteps: Count


class UNetConfig(Schema):
    """config.json of a UNet2DModel, as far as this package looks at it or a wrong type would
    break the network far from here. What is missing has the default of diffusers."""

    class_name: str = Field(default="UNet2DModel", alias="_class_name")
    in_channels: Width = 3
    out_channels: Width = 3
    block_out_channels: Annotated[list[Width], Field(min_length=1, max_length=12)] | None = None
    layers_per_block: Depth = 2
    down_block_types: list[str] | None = None
    up_block_types: list[str] | None = None
    mid_block_type: str | None = None
    sample_size: Width | list[Width] | None = None
    time_embedding_type: str = "positional"
    num_train_timesteps: Count | None = None
    class_embed_type: str | None = None
    num_class_embeds: Count | None = None
    attention_head_dim: Width | None = None
    norm_num_groups: Width | None = None
    norm_eps: float = 1e-5
    dropout: Annotated[float, Field(ge=0, le=1)] = 0.0


class SchedulerConfig(Schema):
    """scheduler_config.json: the class that computes the table, and what it computes it from."""

    class_name: str = Field(default="DDPMScheduler", alias="_class_name")
    num_train_timesteps: Count = 1000
    beta_start: float | None = None
    beta_end: float | None = None
    beta_schedule: str | None = None
    trained_betas: Annotated[list[float], Field(min_length=1)] | None = None
    prediction_type: str | None = None
    rescale_betas_zero_snr: bool | None = None
    timestep_type: str | None = None
    use_flow_sigmas: bool | None = None


class PipelineIndex(Schema):
    """model_index.json: the class of a pipeline; its parts, [library, class] each, are extra."""

    class_name: str = Field(default="pipeline", alias="_class_name")

    def parts(self) -> dict[str, str]:
        """The class of each part that is there, by name."""
        found: dict[str, Any] = self.model_extra or {}
        pairs = {name: entry for name, entry in found.items() if isinstance(entry, list)}
        return {name: str(entry[-1]) for name, entry in pairs.items() if entry and entry[-1]}


class WeightIndex(Schema):
    """The index of sharded weights: the file of each tensor."""

    weight_map: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^[^/\\]+$")]], Field(min_length=1)
    ]

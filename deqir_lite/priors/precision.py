"""The number formats inside a network."""

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
"""By name; bfloat16 is torch's autocast: weights stay in float32."""

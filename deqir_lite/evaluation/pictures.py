"""The images that the figure shows, kept beside the results so that it can be drawn again."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from deqir_lite._files import write_atomically
from deqir_lite.baselines import baseline_of
from deqir_lite.evaluation.settings import Setting
from deqir_lite.images import to_uint8
from deqir_lite.operators import LinearOperator

FILE = "evaluation-pictures.npz"
COLUMNS = ("photo", "pinv", "baseline", "one", "mean")


class Pictures:
    """Rows of images by setting, uint8 (5, H, W, 3): photo, A^+ y, baseline, one sample, mean."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.rows: dict[Setting, np.ndarray] = {}
        if self.path.is_file():
            try:
                with np.load(self.path) as stored:
                    self.rows = {_setting(name): stored[name] for name in stored.files}
            except (ValueError, OSError, zipfile.BadZipFile):
                self.rows = {}  # only pictures: they come again with the next results

    def keep(
        self, setting: Setting, operator: LinearOperator, truth: Tensor, one: Tensor, mean: Tensor
    ) -> None:
        """Store one row: every image (1, 3, H, W) in [-1, 1], clamped; writes the file."""
        y = operator.A(truth)
        images = (truth, operator.pinv(y), baseline_of(operator).restore(operator, y), one, mean)
        self.rows[setting] = np.concatenate([to_uint8(image.nan_to_num()) for image in images])
        arrays: dict[str, Any] = {_name(key): row for key, row in self.rows.items()}
        encoded = io.BytesIO()
        np.savez_compressed(encoded, **arrays)
        write_atomically(self.path, encoded.getvalue(), name="out")


def _name(setting: Setting) -> str:
    return " ".join(map(str, setting))


def _setting(name: str) -> Setting:
    task, size, timesteps, eta = name.split(" ")
    return Setting(task, int(size), int(timesteps), float(eta))

"""The figure, and its images, which are kept beside the results to draw it again."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from deqir_lite._files import write_atomically
from deqir_lite.baselines import baseline_of
from deqir_lite.images import side_by_side, to_uint8
from deqir_lite.operators import LinearOperator, make_task
from deqir_lite.priors.files import PICTURES_FILE
from deqir_lite.studies.evaluation.settings import MASK_SEED, Setting, importance

_COLOURS = 128
"""Of the figure: few enough for a small file."""

_HEIGHT = 128
"""Of an image of the figure, in pixels, at least."""


class Pictures:
    """Rows of images by setting, uint8 (5, H, W, 3): photo, A^+ y, baseline, one sample, mean."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / PICTURES_FILE
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
        self.rows[setting] = np.concatenate([to_uint8(image) for image in images])
        arrays: dict[str, Any] = {_name(key): row for key, row in self.rows.items()}
        encoded = io.BytesIO()
        np.savez_compressed(encoded, **arrays)
        write_atomically(self.path, encoded.getvalue(), name="out")

    @property
    def shown(self) -> list[Setting]:
        """What the figure shows: the tasks at the most important size, chain length and eta."""
        ordered = sorted(self.rows, key=importance)
        return [setting for setting in ordered if setting[1:] == ordered[0][1:]]

    def figure(self) -> bytes | None:
        """A PNG with a row of five images for each setting in ``shown``; None without images."""
        if not self.rows:
            return None
        sheets = [
            np.asarray(
                side_by_side(list(self.rows[setting]), _titles(setting.task), height=_HEIGHT)
            )
            for setting in self.shown
        ]
        encoded = io.BytesIO()
        smaller = Image.fromarray(np.concatenate(sheets)).quantize(_COLOURS)
        smaller.save(encoded, format="PNG", optimize=True)
        return encoded.getvalue()


def _titles(task: str) -> list[str]:
    baseline = baseline_of(make_task(task, (64, 64), seed=MASK_SEED)).name
    titles = [task, "A⁺y", baseline, "one sample", "mean of samples"]
    return [title.replace("A⁺y", "A+ y") for title in titles]  # Pillow's font has no raised plus


def _name(setting: Setting) -> str:
    return " ".join(map(str, setting))


def _setting(name: str) -> Setting:
    task, size, timesteps, eta = name.split(" ")
    return Setting(task, int(size), int(timesteps), float(eta))

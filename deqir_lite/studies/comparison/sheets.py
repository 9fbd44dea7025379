"""What was restored, to look at: a sheet for each photo and damage."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image

from deqir_lite._files import naming
from deqir_lite.images import in_rows, save_image
from deqir_lite.studies.comparison.rows import Row, unpack_picture
from deqir_lite.studies.comparison.tables import chain_of, name_of
from deqir_lite.studies.evaluation.photos import Photo

FOLDER = "sheets"
"""In that of a comparison: in it a folder for each damage, with files named like the photos."""


def write_sheets(folder: Path, rows: Iterable[Row], photos: Iterable[Photo]) -> None:
    """Write into the :data:`FOLDER` of a comparison, for each of ``photos`` and each damage, all
    restorations that have a picture, in the order of ``rows``, with their method and PSNR, and then
    the photo itself.
    """
    files = {photo.name: photo for photo in photos}
    found: dict[tuple[str, str, int, float], list[tuple[Row, str]]] = {}
    for row in rows:
        if row.picture is not None and row.photo in files:
            key = row.photo, row.task, row.size, row.sigma_y
            found.setdefault(key, []).append((row, row.picture))
    for (name, task, size, sigma_y), group in found.items():
        own = [row for row, _ in group]
        images: list[torch.Tensor | Image.Image] = [unpack_picture(text) for _, text in group]
        images.append(files[name].load(size))
        noise = f"-noise{sigma_y:g}" if sigma_y else ""
        ending = "" if name.endswith(".png") else ".png"
        path = folder / FOLDER / f"{task}-{size}{noise}" / f"{name}{ending}"
        with naming("out", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_image(path, in_rows(images, [*(_label(row, own) for row in own), "photo"]))


def _label(row: Row, group: Sequence[Row]) -> str:
    """The PSNR first, since long names are cut; the chain where a method has several."""
    chains = {chain_of(other.setting) for other in group if other.method == row.method}
    chain = f", {chain_of(row.setting)}" if len(chains) > 1 else ""
    seed = f", seed {row.seed}" if row.seed else ""
    return f"{row.psnr:.1f} dB {name_of(row.setting).replace(':', ', ')}{chain}{seed}"

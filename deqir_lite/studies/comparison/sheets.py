"""What was restored, to look at: a sheet for each photo and damage."""

import io
from collections.abc import Iterable, Iterator, Sequence

import torch
from PIL import Image

from deqir_lite.images import in_rows
from deqir_lite.studies.comparison.rows import Row, unpack_picture
from deqir_lite.studies.comparison.tables import chain_of, name_of
from deqir_lite.studies.evaluation.photos import Photo

FOLDER = "sheets"
"""In that of a comparison: in it a folder for each damage, with files named like the photos."""


def sheets(rows: Iterable[Row], photos: Iterable[Photo]) -> Iterator[tuple[str, bytes]]:
    """Paths of files in :data:`FOLDER`, and PNG: of each of ``photos`` and each damage all
    restorations that have a picture, in the order of ``rows``, with their method and PSNR, and then
    the photo itself.
    """
    files = {photo.name: photo for photo in photos}
    found: dict[tuple[str, str, int, float], list[Row]] = {}
    for row in rows:
        if row.picture is not None and row.photo in files:
            found.setdefault((row.photo, row.task, row.size, row.sigma_y), []).append(row)
    for (name, task, size, sigma_y), group in found.items():
        images: list[torch.Tensor | Image.Image] = []
        images += [unpack_picture(row.picture) for row in group if row.picture is not None]
        labels = [*(_label(row, group) for row in group), "photo"]
        buffer = io.BytesIO()
        in_rows([*images, files[name].load(size)], labels).save(buffer, format="PNG")
        noise = f"-noise{sigma_y:g}" if sigma_y else ""
        ending = "" if name.endswith(".png") else ".png"
        yield f"{task}-{size}{noise}/{name}{ending}", buffer.getvalue()


def _label(row: Row, group: Sequence[Row]) -> str:
    """The PSNR first, since long names are cut; the chain where a method has several."""
    chains = {chain_of(other.setting) for other in group if other.method == row.method}
    chain = f", {chain_of(row.setting)}" if len(chains) > 1 else ""
    seed = f", seed {row.seed}" if row.seed else ""
    return f"{row.psnr:.1f} dB {name_of(row.setting).replace(':', ', ')}{chain}{seed}"

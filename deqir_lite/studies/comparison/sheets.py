"""What was restored, to look at: a sheet for each photo and damage."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from PIL import Image

from deqir_lite.images import in_rows
from deqir_lite.studies.comparison.rows import Row, unpack_picture
from deqir_lite.studies.comparison.tables import chain_of, name_of


def sheets(
    rows: Iterable[Row], photos: Mapping[str, torch.Tensor | Image.Image]
) -> Iterator[tuple[str, bytes]]:
    """Names of files, and PNG: of each photo and damage all restorations that have a picture, in
    the order of ``rows``, with their method, chain and PSNR, and then the photo itself.

    ``photos``: by name; ``rows`` of others are left out.
    """
    found: dict[tuple[str, int, float, str], list[Row]] = {}
    for row in rows:
        if row.picture is not None and row.photo in photos:
            found.setdefault((row.task, row.size, row.sigma_y, row.photo), []).append(row)
    for (task, size, sigma_y, photo), group in found.items():
        images: list[torch.Tensor | Image.Image] = []
        for row in group:
            assert row.picture is not None
            images.append(unpack_picture(row.picture))
        labels = [*(_label(row, group) for row in group), "photo"]
        buffer = io.BytesIO()
        sheet = in_rows([*images, photos[photo]], labels)
        sheet.save(buffer, format="PNG")
        noise = f"-noise{sigma_y:g}" if sigma_y else ""
        name = photo.replace("/", "-").rpartition(".")[0]
        yield f"{task}-{size}{noise}-{name}.png", buffer.getvalue()


def _label(row: Row, group: Sequence[Row]) -> str:
    """The PSNR first, since long names are cut; the chain where a method has several."""
    chains = {chain_of(other.setting) for other in group if other.method == row.method}
    chain = f", {chain_of(row.setting)}" if len(chains) > 1 else ""
    seed = f", seed {row.seed}" if row.seed else ""
    return f"{row.psnr:.1f} dB {name_of(row.setting).replace(':', ', ')}{chain}{seed}"

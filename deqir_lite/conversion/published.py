"""The checkpoints of the paper, and where their authors have published them."""

from dataclasses import dataclass
from pathlib import Path

from deqir_lite._files import naming
from deqir_lite.checks import check_choice
from deqir_lite.conversion.convert import Conversion, check_new_folder, convert_checkpoint
from deqir_lite.conversion.download import download

_OPENAI = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="


@dataclass(frozen=True)
class Published:
    """A checkpoint: address, name of the file, layout, the SHA-256 where one is published."""

    url: str
    file: str
    layout: str
    sha256: str | None = None


PUBLISHED = {
    "imagenet256": Published(
        f"{_OPENAI}/256x256_diffusion_uncond.pt",
        "256x256_diffusion_uncond.pt",
        "adm",
        # as Disco Diffusion's notebook publishes it; guided-diffusion itself publishes none
        "a37c32fffd316cd494cf3f35b339936debdc1576dad13fe57c42399a5dbc78b1",
    ),
    "imagenet256-classes": Published(
        f"{_OPENAI}/256x256_diffusion.pt", "256x256_diffusion.pt", "adm"
    ),
    "celebahq256": Published(
        "https://image-editing-test-12345.s3-us-west-2.amazonaws.com/checkpoints/celeba_hq.ckpt",
        "celeba_hq.ckpt",
        "ddpm",
    ),
    "celebahq256-repaint": Published(
        f"{_DRIVE}1norNWWGYP3EZ_o05DmoW1ryKuKMmhlCX", "celeba256_250000.pt", "adm"
    ),
    "ffhq256": Published(f"{_DRIVE}1BGwhRWUoguF-D8wlZ65tf227gp3cDUDh", "ffhq_10m.pt", "adm"),
}
"""ImageNet without and with classes (guided-diffusion); CelebA-HQ as SDEdit published it, which the
paper's code loads, and as RePaint did, which the paper names; FFHQ as DPS did."""


def fetch_checkpoint(
    name: str, out: str | Path, *, show_progress: bool = False
) -> tuple[Conversion, Path, str]:
    """Download a checkpoint of :data:`PUBLISHED` beside the folder ``out``, and convert it.

    Returns the conversion, the downloaded file, which is kept, and its SHA-256. Raises what
    :func:`deqir_lite.conversion.download.download` and :func:`convert_checkpoint` raise, and
    ValueError for an unknown name.
    """
    check_choice("name", name, PUBLISHED)
    out, source = Path(out), PUBLISHED[name]
    check_new_folder(out)
    with naming("out", out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    file = out.parent / source.file
    digest = download(source.url, file, sha256=source.sha256, show_progress=show_progress)
    return convert_checkpoint(file, out, layout=source.layout), file, digest

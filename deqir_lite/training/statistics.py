"""Fit the Gaussian photo prior to a folder of photos."""

from pathlib import Path

import torch

from deqir_lite._files import printable, write_together
from deqir_lite._outputs import check_folder, only_process
from deqir_lite.checks import check_integer
from deqir_lite.defaults import CROPS, SEED
from deqir_lite.priors.files import CARD_FILE, SPECTRUM_FILE, STATE_FILE, WEIGHTS_FILE
from deqir_lite.priors.spectrum import PhotoSpectrum, fit_spectrum
from deqir_lite.training.crops import CropSampler
from deqir_lite.training.photos import load_photos

_CARD = """# Gaussian photo prior

Mean colour and 3x3 colour covariance per spatial frequency of photographs, fitted with
`deqir-lite fit-gaussian` to {crops} crops of {size}x{size} pixels, at several scales, from
{photos} photos. Load it with `PhotoSpectrum.load(folder / "{file}")`. It has no edges and no
objects: it knows only that photos are smooth and that their colours go together.

{note}
"""


def fit_photo_spectrum(
    photos: str | Path,
    out: str | Path,
    *,
    crops: int = CROPS,
    size: int = 64,
    seed: int = SEED,
    data_note: str = "",
) -> PhotoSpectrum:
    """Fit a :class:`PhotoSpectrum` to random crops of the photos in a folder and write it to
    ``out``.

    Crops are drawn as in training, so that the Gaussian prior and the network know the same photos.
    """
    crops, seed = check_integer("crops", crops, 100), check_integer("seed", seed, 0)
    folder = Path(out)
    with only_process("out", folder, folder=True):
        _check_files(folder)
        pictures = load_photos(photos, minimum=size, without=folder)
        generator = torch.Generator().manual_seed(seed)
        sampler = CropSampler(pictures, size)
        batches = crops // 100
        spectrum = fit_spectrum(sampler.draw(100, generator) for _ in range(batches))
        card = _CARD.format(
            crops=100 * batches, size=size, photos=len(pictures), file=SPECTRUM_FILE, note=data_note
        )
        files = {SPECTRUM_FILE: spectrum.to_bytes(), CARD_FILE: printable(card).encode()}
        write_together(folder, files, name="out")
    return spectrum


def _check_files(folder: Path) -> None:
    """Refuse a folder with another card, or with the spectrum that belongs to trained weights."""
    check_folder("out", folder, files=(SPECTRUM_FILE, CARD_FILE))
    card, title = folder / CARD_FILE, _CARD.splitlines()[0].encode()
    foreign = [name for name in (WEIGHTS_FILE, STATE_FILE) if (folder / name).exists()]
    if card.exists() and card.read_bytes()[: len(title)] != title:
        foreign.append(CARD_FILE)
    if foreign:
        raise FileExistsError(
            f"out: {folder} holds {', '.join(foreign)} of another origin; name another folder"
        )

"""Fit the Gaussian photo prior to a folder of photos."""

from pathlib import Path

import torch

from deqir_lite._files import write_atomically
from deqir_lite.checks import check_integer
from deqir_lite.defaults import CROPS, SEED
from deqir_lite.priors.files import CARD_FILE, SPECTRUM_FILE
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
    check_integer("crops", crops, 100)
    pictures = load_photos(photos, minimum=size)
    generator = torch.Generator().manual_seed(seed)
    sampler = CropSampler(pictures, size)
    sample = torch.cat([sampler.draw(100, generator) for _ in range(crops // 100)])
    spectrum = fit_spectrum(sample)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    spectrum.save(folder / SPECTRUM_FILE)
    card = _CARD.format(
        crops=len(sample), size=size, photos=len(pictures), file=SPECTRUM_FILE, note=data_note
    )
    write_atomically(folder / CARD_FILE, card.encode())
    return spectrum

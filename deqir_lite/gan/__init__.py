"""A small GAN of photo crops, and restoration by its inversion: latent first, then weights."""

from deqir_lite.gan.inversion import Inversion, invert
from deqir_lite.gan.networks import Discriminator, Generator
from deqir_lite.gan.photo_gan import PhotoGAN

__all__ = ["Discriminator", "Generator", "Inversion", "PhotoGAN", "invert"]

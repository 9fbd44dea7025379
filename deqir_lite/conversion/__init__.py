"""Checkpoints of other code as folders that ``load_prior`` and diffusers take: a UNet2DModel holds
the networks of guided-diffusion and of DDPM under other names, to the last bit."""

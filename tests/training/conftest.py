"""A folder of small synthetic photos, and a tiny recipe."""

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.recipe import Recipe


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """Three photos with smooth colours and an edge, one of them in a subfolder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    random = np.random.default_rng(0)
    for i, (name, size) in enumerate(
        [("a.png", (40, 32)), ("b.jpg", (24, 48)), ("more/c.PNG", (32, 32))]
    ):
        y, x = np.indices(size) / max(size)
        waves = [np.sin(6 * (x * np.cos(a) + y * np.sin(a)) + a) for a in random.uniform(0, 6, 3)]
        pixels = 128 + 80 * np.stack(waves, axis=-1)
        pixels[: size[0] // 2, : size[1] // 3] = 40 * (i + 1)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def recipe():
    return Recipe(channels=(8, 16), blocks=1, crop=16, final_crop=16, batch=4, warmup=2,
                  ema_decays=(0.9, 0.99))  # fmt: skip


@pytest.fixture(scope="session")
def make_prior(recipe):
    """seed -> a prior of the recipe's architecture with random weights, also in the last layer."""

    def make(seed=0):
        torch.manual_seed(seed)
        network = recipe.build_network()
        torch.nn.init.normal_(network.output.weight, std=0.1)
        scale = torch.linspace(0.02, 0.6, recipe.num_train_timesteps)
        return ResidualPrior(load_gaussian(recipe.schedule), network, scale)

    return make

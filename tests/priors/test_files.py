"""Where the files of a model are looked for, and what is said when they are not there."""

import pytest

from deqir_lite.priors.files import UNET_FILES, find_model, variant_of


@pytest.fixture
def make(tmp_path):
    """(paths...) -> a folder with empty files of these names."""

    def build(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text("{}")
        return tmp_path

    return build


@pytest.mark.parametrize("unet", ["", "unet/"])
@pytest.mark.parametrize("scheduler", ["", "scheduler/"])
@pytest.mark.parametrize("weights", [name for name in UNET_FILES if "index" not in name])
def test_layouts(make, unet, scheduler, weights):
    paths = f"{scheduler}scheduler_config.json", f"{unet}config.json", f"{unet}{weights}"
    folder = make(*paths)
    files = find_model(folder)
    assert (files.scheduler, files.config, files.weights) == tuple(folder / p for p in paths)
    assert files.pipeline is None
    assert find_model(str(folder)) == files
    (folder / "model_index.json").write_text("{}")
    assert find_model(folder).pipeline == folder / "model_index.json"


def test_the_best_form_of_the_weights_counts(make):
    folder = make("scheduler_config.json", "config.json", "diffusion_pytorch_model.ema.bin")
    for name in ("diffusion_pytorch_model.ema.safetensors", *reversed(UNET_FILES)):
        if "index" not in name:
            (folder / name).write_text("")
            assert find_model(folder).weights.name == name or "ema" in name
    assert find_model(folder).weights.name == UNET_FILES[0]


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("diffusion_pytorch_model.safetensors", None),
        ("diffusion_pytorch_model.bin.index.json", None),
        ("diffusion_pytorch_model.fp16.safetensors", "fp16"),
        ("diffusion_pytorch_model.non_ema.bin", "non_ema"),
        ("diffusion_pytorch_model.safetensors.index.fp16.json", "fp16"),
        ("diffusion_pytorch_model.safetensors.fp16.index.json", "fp16"),
        ("diffusion_pytorch_model-00001-of-00002.safetensors", None),
        ("another.fp16.safetensors", None),
    ],
)
def test_variants_in_names(name, variant):
    assert variant_of(name) == variant


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "holds no scheduler_config.json, nor does its subfolder scheduler"),
        (("scheduler/scheduler_config.json",), "holds no config.json, nor does its subfolder unet"),
        (
            ("scheduler_config.json", "unet/config.json", "diffusion_pytorch_model.safetensors"),
            "holds no diffusion_pytorch_model.safetensors, nor does its subfolder unet",
        ),
        (
            ("scheduler_config.json", "config.json", "diffusion_pytorch_model-00001-of-2.bin"),
            "holds no diffusion_pytorch_model.safetensors",
        ),
    ],
)
def test_a_folder_without_a_file(make, paths, message):
    folder = make(*paths)
    with pytest.raises(FileNotFoundError) as caught:
        find_model(folder)
    assert str(caught.value) == f"prior: {folder} {message}"


def test_a_missing_shard(make):
    folder = make("scheduler_config.json", "config.json", "a.safetensors")
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}')
    with pytest.raises(FileNotFoundError, match=r"holds no b\.safetensors$"):
        find_model(folder)

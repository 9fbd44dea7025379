"""Everything that can be wrong with a prior: exit code 2 and one line that names it."""

import json
import os
import re
import shutil
import struct
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from deqir_lite import save_image
from deqir_lite.priors import power_law_spectrum
from deqir_lite.priors.residual import ResidualPrior

pytest.importorskip("diffusers")

UNET = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="session")
def originals(tmp_path_factory, make_unet):
    """A folder of a tiny UNet2DModel ("unet"), its pipeline, and a prior of this package."""
    import diffusers

    from deqir_lite.priors import GaussianPrior
    from deqir_lite.priors.unet import ResidualUNet

    root = tmp_path_factory.mktemp("originals")
    make_unet(3).save_pretrained(root / "unet")
    diffusers.DDPMScheduler().save_pretrained(root / "unet")
    diffusers.DDPMPipeline(make_unet(3), diffusers.DDPMScheduler()).save_pretrained(root / "pipe")
    torch.manual_seed(0)
    gaussian = GaussianPrior(power_law_spectrum(size=8))
    prior = ResidualPrior(gaussian, ResidualUNet((8, 16), blocks=1), torch.linspace(0.1, 0.6, 1000))
    (root / "own").mkdir()
    for name, content in prior.files().items():
        (root / "own" / name).write_bytes(content)
    return root


@pytest.fixture
def copies(originals, tmp_path):
    """The same, to be damaged."""
    return shutil.copytree(originals, tmp_path / "priors")


def change(file, **entries):
    """(folder) -> None: other entries in a JSON file; None takes one out."""

    def damage(root):
        path = root / file
        content = json.loads(path.read_text()) if path.exists() else {}
        content |= entries
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))

    return damage


def write(file, content):
    def damage(root):
        path = root / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def tensors(file, change):
    def damage(root):
        found = load_file(root / file)
        change(found)
        save_file(found, root / file, metadata={"format": "pt"})

    return damage


def remove(file):
    def damage(root):
        path = root / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def both(*damages):
    def damage(root):
        for each in damages:
            each(root)

    return damage


def nothing(root):
    pass


def torch_file(file, content=None):
    return lambda root: torch.save(content or {"x": torch.zeros(2)}, root / file)


def half_file(file):
    def make(root):
        torch.save({"x": torch.zeros(500)}, root / file)
        (root / file).write_bytes((root / file).read_bytes()[:1000])

    return make


def zipped(root):
    with zipfile.ZipFile(root / "model.zip", "w") as archive:
        archive.writestr("readme.txt", "no weights")


def link_to(target):
    return lambda root: (root / "link").symlink_to(target)


SCHEDULER, CONFIG, INDEX = "unet/scheduler_config.json", "unet/config.json", "pipe/model_index.json"
SHARDS = "unet/diffusion_pytorch_model.safetensors.index.json"
OWN, OWN_WEIGHTS = "own/config.json", "own/residual.safetensors"
HALF = {"x": torch.zeros(2)}

FOLDERS = [
    # --- the scheduler
    ("unet", change(SCHEDULER, _class_name="ScoreSdeVeScheduler"), "ScoreSdeVeScheduler is no sch"),
    ("unet", change(SCHEDULER, _class_name="EDMEulerScheduler"), "EDMEulerScheduler is no schedul"),
    (
        "unet",
        change(SCHEDULER, _class_name="FlowMatchEulerDiscreteScheduler"),
        "FlowMatchEulerDiscreteScheduler is no schedule of a variance-preserving diffusion",
    ),
    (
        "unet",
        change(SCHEDULER, _class_name="CMStochasticIterativeScheduler"),
        "CMStochasticIterativeScheduler is no schedule .*; expected one with alphas_cumprod, such",
    ),
    ("unet", change(SCHEDULER, _class_name="MyScheduler"), "_class_name: got 'MyScheduler', no sc"),
    ("unet", change(SCHEDULER, _class_name=7), "_class_name: got 7; expected it to be a valid str"),
    ("unet", change(SCHEDULER, beta_schedule="warp"), "beta_schedule: unknown value 'warp' for DD"),
    ("unet", change(SCHEDULER, beta_schedule=3), "beta_schedule: got 3; expected"),
    ("unet", change(SCHEDULER, beta_start="small"), "beta_start: got 'small'; expected it to be a"),
    ("unet", change(SCHEDULER, beta_end=[0.02]), r"beta_end: got \[0.02\]; expected it to be"),
    ("unet", change(SCHEDULER, beta_end=20.0), "the table of DDPMScheduler is none of a diffusion"),
    ("unet", change(SCHEDULER, beta_start=-0.1), "the table of DDPMScheduler is none of a diffusi"),
    ("unet", change(SCHEDULER, trained_betas="learned"), "trained_betas: got 'learned'; expected"),
    ("unet", change(SCHEDULER, trained_betas=[]), r"trained_betas: got \[\];"),
    ("unet", change(SCHEDULER, trained_betas=[0.1, None]), r"trained_betas\.1: got None; expected"),
    ("unet", change(SCHEDULER, trained_betas=[0.1, 1.5]), "alpha_bar: expected strictly decreasin"),
    ("unet", change(SCHEDULER, num_train_timesteps="1000"), "num_train_timesteps: got '1000'; exp"),
    ("unet", change(SCHEDULER, num_train_timesteps=0), "num_train_timesteps: got 0; expected it t"),
    ("unet", change(SCHEDULER, num_train_timesteps=-5), "num_train_timesteps: got -5; expected it"),
    ("unet", change(SCHEDULER, num_train_timesteps=1e12), "num_train_timesteps: got 1000000000000"),
    ("unet", change(SCHEDULER, prediction_type="score"), "prediction_type: unknown value 'score';"),
    ("unet", change(SCHEDULER, prediction_type=["epsilon"]), r"prediction_type: got \['epsilon'\]"),
    (
        "unet",
        change(
            SCHEDULER,
            _class_name="EulerDiscreteScheduler",
            prediction_type="flow_prediction",
        ),
        "prediction_type: unknown value 'flow_prediction'; known: epsilon, v_prediction, sample",
    ),
    ("unet", write(SCHEDULER, "[]"), "scheduler_config.json holds no JSON object"),
    ("unet", write(SCHEDULER, "{"), "scheduler_config.json is not valid JSON"),
    ("unet", write(SCHEDULER, b"\xff\xfe{}"), "scheduler_config.json is not valid JSON"),
    ("unet", write(SCHEDULER, "[" * 100_000), "scheduler_config.json is not valid JSON"),
    ("unet", write(SCHEDULER, ""), "scheduler_config.json is not valid JSON"),
    ("unet", remove(SCHEDULER), "holds no scheduler_config.json, nor does its subfolder scheduler"),
    # --- the network
    ("unet", change(CONFIG, _class_name="UNet2DConditionModel"), "describes a UNet2DConditionMode"),
    ("unet", change(CONFIG, _class_name="UNet1DModel"), "describes a UNet1DModel; expected a UNet"),
    ("unet", change(CONFIG, _class_name="DiTTransformer2DModel"), "describes a DiTTransformer2DMo"),
    ("unet", change(CONFIG, _class_name="AutoencoderKL"), "describes a AutoencoderKL; expected a"),
    ("unet", change(CONFIG, _class_name={}), r"_class_name: got \{\}; expected it to be a valid s"),
    ("unet", change(CONFIG, in_channels="3"), "config.json: in_channels: got '3'; expected it to"),
    ("unet", change(CONFIG, in_channels=0), "config.json: in_channels: got 0; expected it to be g"),
    ("unet", change(CONFIG, out_channels=2.5), "config.json: out_channels: got 2.5; expected it t"),
    ("unet", change(CONFIG, block_out_channels=16), "block_out_channels: got 16; expected it to b"),
    ("unet", change(CONFIG, block_out_channels=[16, "x"]), r"block_out_channels\.1: got 'x'; expe"),
    ("unet", change(CONFIG, block_out_channels=[16, 10**9]), r"block_out_channels\.1: got 1000000"),
    ("unet", change(CONFIG, layers_per_block=10**6), "layers_per_block: got 1000000; expected it"),
    ("unet", change(CONFIG, down_block_types="DownBlock2D"), "down_block_types: got 'DownBlock2D'"),
    ("unet", change(CONFIG, down_block_types=["WarpBlock"] * 2), "WarpBlock"),
    ("unet", change(CONFIG, norm_num_groups=7), "corrupt or of another architecture"),
    ("unet", change(CONFIG, norm_eps="tiny"), "norm_eps: got 'tiny'; expected it to be a valid nu"),
    ("unet", change(CONFIG, dropout=-1.0), "dropout: got -1.0; expected it to be greater than or"),
    ("unet", change(CONFIG, attention_head_dim=True), "attention_head_dim: got True; expected it"),
    ("unet", change(CONFIG, class_embed_type=3), "class_embed_type: got 3; expected it to be a va"),
    ("unet", change(CONFIG, num_class_embeds="ten"), "num_class_embeds: got 'ten'; expected it to"),
    ("unet", change(CONFIG, num_class_embeds=10), "1 tensors are missing.*class_embedding"),
    ("unet", change(CONFIG, class_embed_type="identity"), "class_embed_type: got 'identity', an e"),
    ("unet", change(CONFIG, time_embedding_type="fourier"), "fourier|another architecture"),
    ("unet", write(CONFIG, "null"), "config.json holds no JSON object"),
    ("unet", write(CONFIG, "not json"), "config.json is not valid JSON"),
    ("unet", remove(CONFIG), "holds no config.json, nor does its subfolder unet"),
    ("unet", tensors(f"unet/{UNET}", lambda w: w["conv_in.bias"].fill_(torch.nan)),
     r"conv_in\.bias: 16 of 16 weights are NaN or infinite; expected finite ones"),
    ("unet", tensors(f"unet/{UNET}", lambda w: w["conv_in.bias"].fill_(torch.inf)),
     r"conv_in\.bias: 16 of 16 weights are NaN or infinite"),
    ("unet", tensors(f"unet/{UNET}", lambda w: w.pop("conv_in.bias")), "1 tensors are missing"),
    ("unet", tensors(f"unet/{UNET}", lambda w: w.update(HALF)), "1 are unexpected"),
    ("unet", write(f"unet/{UNET}", b""), "corrupt or of another architecture"),
    ("unet", write(f"unet/{UNET}", struct.pack("<Q", 2**60) + b"{}"), "corrupt or of another"),
    (
        "unet",
        write(f"unet/{UNET}", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "is a Git LFS pointer, not the file itself",
    ),
    ("unet", remove(f"unet/{UNET}"), "holds no diffusion_pytorch_model.safetensors"),
    # --- shards
    ("unet", both(remove(f"unet/{UNET}"), write(SHARDS, "{}")), r"weight_map is missing"),
    (
        "unet",
        both(remove(f"unet/{UNET}"), change(SHARDS, weight_map={"x": "../away.safetensors"})),
        r"weight_map\.x: got '\.\./away",
    ),
    (
        "unet",
        both(remove(f"unet/{UNET}"), change(SHARDS, weight_map={"x": "gone.safetensors"})),
        "holds no gone.safetensors",
    ),
    ("unet", both(remove(f"unet/{UNET}"), change(SHARDS, weight_map=[])), r"weight_map: got \[\];"),
    ("unet", both(remove(f"unet/{UNET}"), change(SHARDS, weight_map={})), r"weight_map: got \{\};"),
    ("unet", both(remove(f"unet/{UNET}"), write(SHARDS, "{")), "index.json is not valid JSON"),
    # --- pipelines
    ("pipe", change(INDEX, vae=["diffusers", "AutoencoderKL"]),
     r"the DDPMPipeline of \S+ works on the latents of its vae \(AutoencoderKL\); expected a UNet"),
    ("pipe", change(INDEX, _class_name="LDMPipeline", vqvae=["diffusers", "VQModel"]),
     r"the LDMPipeline of \S+ works on the latents of its vqvae \(VQModel\)"),
    ("pipe", change(INDEX, text_encoder=["transformers", "T5EncoderModel"]),
     r"needs its text_encoder \(T5EncoderModel\), a condition of its own; expected"),
    ("pipe", change(INDEX, unet=None, transformer=["diffusers", "DiTTransformer2DModel"]),
     "needs its transformer"),
    ("pipe", change(INDEX, unet=None), "has no unet; expected a UNet2DModel on pixels"),
    ("pipe", change(INDEX, _class_name=4), "model_index.json: _class_name: got 4; expected it to"),
    ("pipe", write(INDEX, "nothing"), "model_index.json is not valid JSON"),
    ("pipe", write("pipe/vqvae/config.json", '{"_class_name": "VQModel"}'),
     r"the unet in \S+ works on the latents of its vqvae \(VQModel\)"),
    # --- priors of this package
    ("own", change(OWN, channels="8"), "own/config.json: channels: got '8'; expected it to be a v"),
    ("own", change(OWN, channels=[]), r"own/config.json: channels: got \[\];"),
    ("own", change(OWN, channels=[8, 0]), r"own/config.json: channels\.1: got 0; expected it to b"),
    ("own", change(OWN, channels=[8, 10**9]), r"channels\.1: got 1000000000; expected it to be le"),
    ("own", change(OWN, blocks="one"), "own/config.json: blocks: got 'one'; expected it to be a v"),
    ("own", change(OWN, blocks=None), "own/config.json: blocks is missing"),
    ("own", change(OWN, patch=0), "own/config.json: patch: got 0; expected it to be greater than"),
    ("own", change(OWN, num_train_timesteps=[1000]), r"num_train_timesteps: got \[1000\]; expecte"),
    ("own", change(OWN, num_train_timesteps=999), r"scale: got shape \(1000,\); expected \(999,\)"),
    ("own", change(OWN, channels=[8, 32]), "of another architecture than its config.json"),
    ("own", tensors(OWN_WEIGHTS, lambda w: w["input.bias"].fill_(torch.nan)),
     r"residual\.safetensors: input\.bias: 8 of 8 weights are NaN or infinite; expected finite on"),
    ("own", tensors(OWN_WEIGHTS, lambda w: w["scale"].neg_()), "scale: got shape .* positive numb"),
    ("own", tensors(OWN_WEIGHTS, lambda w: w.pop("scale")), "lacks e\\(t\\), the tensor 'scale'"),
    ("own", write(OWN_WEIGHTS, b"short"), "residual.safetensors is corrupt"),
    ("own", write(OWN_WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"), "a Git LFS pointe"),
    ("own", remove(OWN_WEIGHTS), "holds no residual.safetensors"),
    ("own", remove("own/spectrum.safetensors"), "no file .*spectrum.safetensors"),
    ("own", write("own/spectrum.safetensors", b"short"), "spectrum.safetensors is corrupt"),
    ("own", tensors("own/spectrum.safetensors", lambda w: w.pop("mean")), r"corrupt \(it lacks me"),
    ("own", tensors("own/spectrum.safetensors", lambda w: w["mean"].fill_(torch.inf)),
     r"spectrum.safetensors is corrupt \(mean: contains NaN"),
    ("own", both(remove(OWN), remove(OWN_WEIGHTS), write("own/spectrum.safetensors", b"")), "corr"),
]  # fmt: skip

FILES = [
    ("a.ckpt", torch_file("a.ckpt"), "a.ckpt is a PyTorch checkpoint, a pickle; expected a folder"),
    ("old.pth", write("old.pth", b"\x80\x02}q\0."), "is a PyTorch checkpoint of the old form, a p"),
    ("half.ckpt", half_file("half.ckpt"), "a zip archive, as PyTorch checkpoints are, that is cut"),
    ("unet/config.json", nothing, "config.json is a JSON file; expected a folder made by train or"),
    (f"unet/{UNET}", nothing, "the weights of a UNet of diffusers; give the folder that it is fro"),
    (
        "sd.safetensors",
        lambda root: save_file({"model.diffusion_model.x": HALF["x"]}, root / "sd.safetensors"),
        "is a safetensors file: the single-file weights of a latent diffusion model",
    ),
    (
        "style.safetensors",
        lambda root: save_file({"lora_down.weight": torch.zeros(1)}, root / "style.safetensors"),
        "is a safetensors file: LoRA weights",
    ),
    (
        "adm.safetensors",
        lambda root: save_file({"input_blocks.0.0.bias": torch.zeros(1)}, root / "adm.safetensors"),
        "in the layout of guided-diffusion, of which `deqir-lite convert` makes a folder",
    ),
    (
        "ddpm.safetensors",
        lambda root: save_file({"down.0.block.0.x": torch.zeros(1)}, root / "ddpm.safetensors"),
        "in the layout of DDPM, of which `deqir-lite convert` makes a folder",
    ),
    (
        "any.safetensors",
        lambda root: save_file({"fc.bias": torch.zeros(1)}, root / "any.safetensors"),
        "is a safetensors file: 1 tensors of an unknown network, such as 'fc.bias'; expected",
    ),
    (
        "moved.safetensors",
        lambda root: shutil.copy(root / OWN_WEIGHTS, root / "moved.safetensors"),
        "holds the weights of a ResidualPrior, but beside it lies no config.json and no spectrum",
    ),
    ("w.gguf", write("w.gguf", b"GGUF\3\0\0\0"), "w.gguf is a GGUF file; expected a folder"),
    ("w.h5", write("w.h5", b"\x89HDF\r\n\x1a\n"), "w.h5 is an HDF5 file, as Keras writes it"),
    ("w.onnx", write("w.onnx", b"\x08\x07\x12\7pytorch"), "w.onnx is an ONNX graph"),
    ("w.npy", write("w.npy", b"\x93NUMPY\1\0"), "w.npy is a NumPy array"),
    ("w.tar.gz", write("w.tar.gz", b"\x1f\x8b\x08\0"), "is a gzip archive; unpack it"),
    ("model.zip", zipped, "model.zip is a zip archive; unpack it"),
    ("page.safetensors", write("page.safetensors", "<!DOCTYPE html><p>404"), "is a web page, perh"),
    ("none.safetensors", write("none.safetensors", ""), "none.safetensors is an empty file"),
    ("lfs.bin", write("lfs.bin", "version https://git-lfs.github.com/spec/v1\n"), "a Git LFS poin"),
    ("photo.png", lambda root: save_image(root / "photo.png", torch.zeros(1, 3, 8, 8)), "a pictur"),
    ("net.py", write("net.py", "x = 1\n"), r"net\.py is Python code; .*net\.py:NAME names a funct"),
    ("text", write("text", "hello"), "text is of no kind that is known here"),
    ("/dev/null", nothing, "/dev/null is neither a folder nor a regular file"),
    ("/dev/zero", nothing, "/dev/zero is neither a folder nor a regular file"),
    ("fifo", lambda root: os.mkfifo(root / "fifo"), "fifo is neither a folder nor a regular file"),
    ("pipe.safetensors", lambda root: os.mkfifo(root / "pipe.safetensors"), "nor a regular file"),
    (
        "unet",
        both(remove(CONFIG), lambda root: os.mkfifo(root / CONFIG)),
        "holds no config.json, nor does its subfolder unet",
    ),
    (
        "unet",
        both(remove(SCHEDULER), lambda root: os.mkfifo(root / SCHEDULER)),
        "holds no scheduler_config.json",
    ),
    (
        "unet",
        both(remove(f"unet/{UNET}"), lambda root: os.mkfifo(root / "unet" / UNET)),
        "holds no diffusion_pytorch_model.safetensors",
    ),
    ("own", both(remove(OWN), lambda root: os.mkfifo(root / OWN)), "own"),
    (
        "own",
        both(remove(OWN_WEIGHTS), lambda root: os.mkfifo(root / OWN_WEIGHTS)),
        "holds no residual.safetensors",
    ),
    (
        "pipe.py:make",
        lambda root: os.mkfifo(root / "pipe.py"),
        r"prior: no file 'pipe\.py'",
    ),
    ("link", link_to("nowhere"), "is no folder, no hub id"),
    ("empty", lambda root: (root / "empty").mkdir(), "holds no scheduler_config.json"),
    ("n" * 300, nothing, "is no name of a file or a model|is no folder, no hub id"),
    ("a/b/c/d", nothing, "is no folder, no hub id"),
]  # fmt: skip

FUNCTIONS = [
    ("raises", "raise RuntimeError('no weights here')", "raises raised RuntimeError: no weights h"),
    ("value", "raise ValueError('two\\n  lines')", "prior: value raised ValueError: two lines"),
    ("index", "return x_t[5]", "prior: index raised IndexError: "),
    ("none", "return None", "prior: none returned NoneType; expected a torch.Tensor"),
    ("array", "return x_t.numpy()", "prior: array returned ndarray; expected a torch.Tensor"),
    ("number", "return 0.5", "prior: number returned float; expected a torch.Tensor"),
    ("pair", "return x_t, x_t", "prior: pair returned tuple; expected a torch.Tensor"),
    ("grey", "return x_t[:, :1]", r"prior: grey returned shape \(\d+, 1, 32, 32\) for x_t"),
    ("scalar", "return x_t.mean()", r"prior: scalar returned shape \(\) for x_t"),
    ("larger", "return torch.cat([x_t, x_t], 1)", r"returned shape \(\d+, 6, 32, 32\) for x_t"),
    ("integers", "return (100 * x_t).long()", "integers returned torch.int64 on cpu; expected a f"),
    ("complex_", "return x_t + 1j", "returned torch.complex64 on cpu; expected a floating-point"),
    ("meta", "return x_t.to('meta')", "returned torch.float32 on meta; expected .* on cpu"),
    ("nan", "return x_t * float('nan')", r"prior: nan predicts NaN or infinity at timestep \d+"),
    ("inf", "return x_t / 0", r"prior: inf predicts NaN or infinity at timestep \d+"),
    ("some", "return torch.where(t[:, None, None, None] < 5, torch.nan, x_t)",
     "prior: some predicts NaN or infinity at timestep 0"),
]  # fmt: skip

MODULE = """
import torch
from deqir_lite.schedule import linear_schedule

def factory():
    raise OSError("the disk is gone")

def leaves():
    raise SystemExit(0)

def nothing():
    return None

class Foreign:
    schedule = linear_schedule()
    def __call__(self, x_t, t):
        return {what}

foreign = Foreign()

class Half:
    schedule = "linear"
    def __call__(self, x_t, t):
        return x_t

half = Half()
text = "text"
"""

NAMES = [
    ("mod.py:factory", "mod.py:factory failed: the disk is gone"),
    ("mod.py:leaves", "mod.py:leaves failed: 0"),
    ("mod.py:nothing", "mod.py:nothing failed: prior: got None; expected a prior with a schedule"),
    ("mod.py:foreign", "prior: Foreign returned NoneType; expected a torch.Tensor"),
    ("mod.py:half", "prior: got a Half whose schedule is a str; expected a NoiseSchedule"),
    ("mod.py:text", "mod.py:text failed: prior: got 'text'; expected a prior with a schedule"),
    ("mod.py:absent", "prior: mod.py has no 'absent'"),
    ("gone.py:make", r"prior: no file 'gone\.py'"),
    ("gone:make", "prior: no module 'gone'"),
    ("leaves.py:make", "importing leaves.py failed: 3"),
    ("syntax.py:make", "importing syntax.py failed: "),
]


@pytest.fixture
def check(run, photo, folder):
    """(prior, pattern, options...): exit code 2, and the last line on standard error says what came
    and what is accepted; nothing is written. ``early``: before the work, so it is the only line."""

    def refused(prior, message, *options, early=True):
        result = run(
            "demo", photo, "-o", folder / "out.png", "--timesteps", 3, "--prior", prior, *options
        )
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit), "a traceback"
        lines = result.stderr.splitlines()
        assert lines[-1].startswith("error: ")
        assert re.search(message, lines[-1]), lines[-1]
        assert len(lines[-1]) < 400
        assert [line for line in lines if "error" in line.lower()] == lines[-1:]
        assert not early or len(lines) == 1
        assert result.stdout == ""
        assert list(folder.iterdir()) == []

    return refused


@pytest.mark.parametrize(("folder_name", "damage", "message"), FOLDERS)
def test_folders(check, copies, folder_name, damage, message):
    damage(copies)
    check(copies / folder_name, message)


@pytest.mark.parametrize(("name", "make", "message"), FILES)
def test_files(check, copies, monkeypatch, name, make, message):
    monkeypatch.chdir(copies)
    make(copies)
    before = sorted(copies.rglob("*"))
    check(name, message)
    assert sorted(copies.rglob("*")) == before


@pytest.mark.parametrize("sampler", ["parallel", "sequential"])
@pytest.mark.parametrize(("name", "body", "message"), FUNCTIONS)
def test_functions(check, tmp_path, monkeypatch, name, body, message, sampler):
    (tmp_path / "mine.py").write_text(f"import torch\ndef {name}(x_t, t):\n    {body}\n")
    monkeypatch.chdir(tmp_path)
    check(f"mine.py:{name}", message, "--sampler", sampler, early=False)


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_names_of_functions(check, tmp_path, monkeypatch, name, message):
    (tmp_path / "mod.py").write_text(MODULE.format(what=None))
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "syntax.py").write_text("def make(:\n")
    monkeypatch.chdir(tmp_path)
    check(name, message, early=name != "mod.py:foreign")


@pytest.mark.parametrize("sampler", ["parallel", "sequential"])
def test_a_network_whose_weights_lead_to_nan(check, copies, sampler):
    """Each of them is finite."""
    damage = tensors(f"unet/{UNET}", lambda w: w["conv_in.weight"].fill_(3e38))
    damage(copies)
    message = r"prior: UNet2DModel predicts NaN or infinity at timestep \d+, for images that are"
    check(copies / "unet", message, "--sampler", sampler, early=False)


@pytest.mark.parametrize(
    ("prior", "label", "message"),
    [
        ("unet", 3, "label: got 3, but the network has no classes; leave it out"),
        ("own", 0, "label: got 0, but the prior has no classes; leave it out"),
        (
            "classes",
            None,
            r"label: got None, .* class-conditional; expected an integer in \[0, 4\]",
        ),
        ("classes", 5, r"label: got 5, .* expected an integer in \[0, 4\]"),
        ("classes", -1, r"label: got -1, .* expected an integer in \[0, 4\]"),
    ],
)
def test_labels(check, copies, prior, label, message):
    from diffusers import DDPMScheduler, UNet2DModel

    if prior == "classes":
        tiny = {"block_out_channels": (8, 8), "norm_num_groups": 8, "layers_per_block": 1}
        blocks = {"down_block_types": ["DownBlock2D"] * 2, "up_block_types": ["UpBlock2D"] * 2}
        UNet2DModel(**tiny, **blocks, num_class_embeds=5).save_pretrained(copies / prior)
        DDPMScheduler().save_pretrained(copies / prior)
    options = [] if label is None else [f"--label={label}"]
    check(copies / prior, message, *options)


def test_files_of_this_package_are_priors(run, photo, copies, folder):
    """A spectrum alone, and weights of any name beside the rest of their folder."""
    (copies / OWN_WEIGHTS).rename(copies / "own" / "averaged.safetensors")
    for name in ("spectrum", "averaged"):
        out = folder / f"{name}.png"
        prior = copies / "own" / f"{name}.safetensors"
        result = run("demo", photo, "-o", out, "--timesteps", 3, "--prior", prior)
        assert result.exit_code == 0, result.output
        assert out.is_file()

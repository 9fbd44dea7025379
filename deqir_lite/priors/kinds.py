"""What a file is that somebody gives as a prior, from its first bytes and the names in it."""

import json
import zipfile
from collections.abc import Collection
from pathlib import Path

FOLDERS = (
    "a folder made by train or fit-gaussian, or one that diffusers' save_pretrained wrote "
    "(config.json, weights, scheduler_config.json); `deqir-lite convert` makes one of a checkpoint "
    "of guided-diffusion or DDPM"
)

NO_PRIORS = {
    "RegressionNetwork": "a regression network, which restores y by itself",
    "Palette": "a Palette, a diffusion that sees y and restores it by itself",
    "PhotoGAN": "a GAN, which predicts no noise",
}
"""What `deqir-lite train` makes beside priors, by the name in config.json."""

_POINTER = b"version https://git-lfs"
_MAGIC = {
    _POINTER: "a Git LFS pointer, not the file itself (`git lfs pull` fetches it)",
    b"GGUF": "a GGUF file",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"\x80\x02": "a PyTorch checkpoint of the old form, a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<!DOCTYPE": "a web page, perhaps in place of a download",
    b"<html": "a web page, perhaps in place of a download",
}
_LAYOUTS = {
    "model.diffusion_model.": "the single-file weights of a latent diffusion model, as Stable "
    "Diffusion's",
    "lora": "LoRA weights, which change another network",
    "input_blocks.": "the weights of a network in the layout of guided-diffusion, of which "
    "`deqir-lite convert` makes a folder",
    "down.0.block.": "the weights of a network in the layout of DDPM, of which "
    "`deqir-lite convert` makes a folder",
    "down_blocks.": "the weights of a UNet of diffusers; give the folder that it is from",
}


def check_no_pointer(path: Path) -> None:
    """Refuse what a clone without Git LFS leaves in place of weights."""
    if _start(path).startswith(_POINTER):
        raise ValueError(f"prior: {path} is {_MAGIC[_POINTER]}")


def describe_file(path: Path) -> str:
    """One line that says what the file is."""
    if not path.is_file():
        return "neither a folder nor a regular file"
    start = _start(path)
    if not start:
        return "an empty file"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    if (names := tensor_names(path)) is not None:
        return f"a safetensors file: {describe_tensors(names)}"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            torch = any(name.endswith("data.pkl") for name in archive.namelist())
        return "a PyTorch checkpoint, a pickle" if torch else "a zip archive; unpack it"
    if start.startswith(b"PK\x03\x04"):
        return "a zip archive, as PyTorch checkpoints are, that is cut off"
    if start.lstrip().startswith(b"{"):
        return "a JSON file"
    if path.suffix == ".py":
        return f"Python code; {path}:NAME names a function in it"
    if path.suffix == ".onnx":
        return "an ONNX graph"
    return "of no kind that is known here"


def tensor_names(path: Path) -> set[str] | None:
    """The names of the tensors in a safetensors file, from its header; None for other files."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(path.stat().st_size, 100_000_000):
                return None
            header = json.loads(file.read(length))
        return set(header) - {"__metadata__"}
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def describe_tensors(names: Collection[str]) -> str:
    """What tensors of these names belong to."""
    for part, kind in _LAYOUTS.items():
        if any(part in name for name in names):
            return kind
    return f"{len(names)} tensors of an unknown network, such as {min(names, default='none')!r}"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)

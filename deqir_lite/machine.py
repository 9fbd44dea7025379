"""What a result is computed with: versions of the software, and the machine."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path

import torch

PACKAGES = ("deqir-lite", "torch", "numpy", "diffusers", "scikit-image", "safetensors")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result; "unknown" where missing."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that the package is; None where it is installed without one."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():  # a checkout around it, of something else, does not count
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def machine() -> dict[str, str]:
    """System, processor, threads in use and accelerator; no host name."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
        "accelerator": _accelerator(),
    }


def describe_device(device: torch.device) -> str:
    """Name of the GPU, or of the processor with the number of threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple MPS"
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'' if threads == 1 else 's'}"


def _accelerator() -> str:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return ", ".join(names)
    return "Apple MPS" if torch.backends.mps.is_available() else "none"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # put on the path without being installed
        return "unknown"


def _processor() -> str:
    try:  # Linux: platform.processor() is empty there
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"

"""torchvision loads beside any build of torch, and other failures are not hidden."""

import subprocess
import sys
from importlib import util

import pytest

from deqir_lite.torchvision_repair import repair_torchvision


def run(program, **options):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, **options
    )


@pytest.mark.parametrize(
    "program",
    [
        "import torchvision; from torchvision.transforms import functional",
        "from diffusers import UNet2DModel",
        "import deepinv",
    ],
)
def test_those_who_need_torchvision_load_after_the_package(program):
    module = program.split()[1].rstrip(";")
    if util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    done = run(f"import deqir_lite; {program}")
    assert done.returncode == 0, done.stderr


def test_the_package_itself_imports_none_of_them():
    done = run("import sys, deqir_lite; print(*{n.split('.')[0] for n in sys.modules})")
    assert not {"torchvision", "diffusers", "deepinv", "lpips"} & set(done.stdout.split())


def imported_from(folder, source):
    """What a process says that imports a torchvision of this source after the package."""
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(source)
    return run(f"import sys, deqir_lite; sys.path.insert(0, {str(folder)!r}); import torchvision")


def test_other_failures_are_raised(tmp_path):
    done = imported_from(tmp_path, "raise RuntimeError('something else is broken')")
    assert done.stderr.splitlines()[-1] == "RuntimeError: something else is broken"


def test_a_second_failure_is_raised(tmp_path):
    done = imported_from(tmp_path, "raise RuntimeError('operator torchvision::x does not exist')")
    assert done.stderr.splitlines()[-1] == "RuntimeError: operator torchvision::x does not exist"


def test_nothing_is_declared_where_the_import_works(tmp_path):
    done = imported_from(
        tmp_path,
        "from deqir_lite.torchvision_repair import _DECLARED; assert not _DECLARED; import torch\n"
        "assert not hasattr(torch.ops.torchvision, 'nms')",
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_torchvision_is_missing():
    program = "import sys, deqir_lite; sys.path[:] = []; import torchvision"
    assert run(program).stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named")


def test_repeated_calls_change_nothing():
    before = list(sys.meta_path)
    repair_torchvision()
    assert sys.meta_path == before

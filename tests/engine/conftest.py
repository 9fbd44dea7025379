"""Programs on several ranks, as torchrun starts them, without the time that it takes."""

import multiprocessing
import runpy
import sys
from pathlib import Path

import pytest
from torch.distributed import TCPStore

HERE = Path(__file__).parent

if sys.platform == "win32":
    collect_ignore = ["test_command.py", "test_sharding.py"]  # processes begin as copies


@pytest.fixture(scope="session")
def forks():
    """Processes are copies of one that has imported torch, and never computed anything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.distributed", "deqir_lite._public"])
    return context


@pytest.fixture
def run_on_ranks(forks, tmp_path):
    """(program, size, per rank: given...) -> exit codes: a program of this folder on gloo ranks,
    which meet at a store of this process, as they do at one of torchrun."""
    started = []

    def run(program, size, given=None, *, seconds=150):
        # a new one each time: in an old one lie the addresses of those that have ended
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        for rank in range(size):
            environment = {
                "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port,
                "TORCHELASTIC_USE_AGENT_STORE": True,
            }  # fmt: skip
            names = {"environment": environment, "folder": tmp_path}
            names["given"] = given(rank) if callable(given) else given
            process = forks.Process(
                target=runpy.run_path, args=[str(HERE / program)], kwargs={"init_globals": names}
            )
            process.start()
            started.append(process)
        ranks = started[-size:]
        for process in ranks:
            process.join(seconds)
        return [process.exitcode for process in ranks]

    yield run
    for process in started:
        if process.is_alive():
            process.kill()

"""Where ranks meet, and which device each of them has."""

import socket

import pytest
import torch

from deqir_lite.engine import ranks as module
from deqir_lite.engine.ranks import Ranks, joined_ranks, numbers_of_process


@pytest.fixture
def environment(monkeypatch):
    """(names=values): what torchrun would have set."""

    def put(**numbers):
        for name, value in numbers.items():
            monkeypatch.setenv(name, str(value))

    return put


@pytest.fixture
def gpus(monkeypatch):
    """(count): so many GPUs in this machine."""

    def put(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", lambda place: None)

    return put


def test_the_numbers_of_a_process(environment):
    assert numbers_of_process() == (0, 1)
    environment(RANK=2, WORLD_SIZE=3)
    assert numbers_of_process() == (2, 3)
    environment(RANK=3)
    with pytest.raises(ValueError, match="RANK: got 3 in the environment; expected less than 3"):
        numbers_of_process()
    environment(WORLD_SIZE="many")
    with pytest.raises(ValueError, match="WORLD_SIZE: got 'many' in the environment; expected an"):
        numbers_of_process()


def test_without_torchrun_a_process_is_alone():
    with joined_ranks() as ranks, ranks.agreeing():
        assert ranks == Ranks(rank=0, size=1)
        assert ranks.gather("this") == ["this"]
        assert ranks.is_first_to_end()
    with pytest.raises(ValueError, match="^its own$"), ranks.agreeing():
        raise ValueError("its own")


def test_each_rank_has_a_gpu_of_its_own(gpus, environment):
    gpus(4)
    environment(LOCAL_RANK=1, LOCAL_WORLD_SIZE=4)
    several = Ranks(rank=5, size=8)  # on two machines
    assert several.device("auto") == several.device("cuda") == torch.device("cuda:1")
    assert several.device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device: got 'cuda:0' for 8 ranks; expected auto, cpu, o"):
        several.device("cuda:0")
    gpus(2)
    with pytest.raises(ValueError, match="device: 4 ranks on this machine, which has 2 GPUs; expe"):
        several.device("auto")
    gpus(0)
    assert several.device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match="device: 'cuda' is not available on this machine"):
        several.device("cuda")


def test_memory_is_that_of_all_ranks_on_the_machine(environment, monkeypatch):
    monkeypatch.setattr("deqir_lite.memory.available_memory", lambda device: 900)
    environment(LOCAL_WORLD_SIZE=3)
    assert Ranks().available_memory(torch.device("cpu")) == 300
    assert Ranks().available_memory(torch.device("cuda")) == 900
    monkeypatch.setattr("deqir_lite.memory.available_memory", lambda device: None)
    assert Ranks().available_memory(torch.device("cpu")) is None


def test_a_port_in_use_is_told(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment(RANK=0, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        told = f"MASTER_PORT: 127.0.0.1:{port} is in use; give another port"
        with pytest.raises(ConnectionError, match=told), joined_ranks():
            pass


def test_ranks_that_do_not_meet_are_told(environment, monkeypatch):
    monkeypatch.setattr(module, "MEETING", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment(RANK=1, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    told = f"ranks: rank 1 of 2 does not meet the others at 127.0.0.1:{port}"
    with pytest.raises(ConnectionError, match=told), joined_ranks():
        pass
    monkeypatch.delenv("MASTER_ADDR")
    with pytest.raises(ConnectionError, match="MASTER_ADDR expected, but not set"), joined_ranks():
        pass

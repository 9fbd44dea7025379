"""What is free, and all the ways in which memory can run out, told in the same line."""

import pytest
import torch

from deqir_lite.memory import available_memory, explaining_memory, in_gigabytes, watch_peak


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: not enough memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
    ],
)
def test_memory_errors_become_the_message(error):
    with (
        pytest.raises(ValueError, match="^batch: too large$"),
        explaining_memory("batch: too large"),
    ):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("x"), KeyError("y")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, explaining_memory("batch: too large"):
        raise error
    assert caught.value is error


def test_a_real_allocation_that_is_far_too_large():
    with pytest.raises(ValueError, match="^far$"), explaining_memory("far"):
        torch.empty(2**60, dtype=torch.uint8)


def make_root(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:  2000 kB\n"}
V2, V1 = "sys/fs/cgroup/", "sys/fs/cgroup/memory/"
STAT = "anon 5\ninactive_file 700\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 2_048_000),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                V2 + "a/b/memory.max": "1000000\n",
                V2 + "a/b/memory.current": "400000\n",
                V2 + "a/b/memory.stat": STAT,
            },
            600_700,
        ),
        (  # the limit of a group above
            {
                "proc/self/cgroup": "0::/a/b\n",
                V2 + "a/b/memory.max": "max\n",
                V2 + "a/b/memory.current": "4\n",
                V2 + "a/memory.max": "500\n",
                V2 + "a/memory.current": "900\n",
            },
            0,
        ),
        (  # a container, which sees its group at the top
            {
                "proc/self/cgroup": "0::/docker/abc\n",
                V2 + "memory.max": "1000\n",
                V2 + "memory.current": "100\n",
            },
            900,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/x\n3:memory:/x\n",
                V1 + "x/memory.limit_in_bytes": "1000\n",
                V1 + "x/memory.usage_in_bytes": "100\n",
                V1 + "x/memory.stat": "total_inactive_file 50\n",
            },
            950,
        ),
    ],
)
def test_what_is_free_is_the_least_that_the_system_and_its_groups_leave(tmp_path, files, expected):
    assert available_memory(root=make_root(tmp_path, MEMINFO | files)) == expected


def test_where_linux_does_not_tell(tmp_path, monkeypatch):
    pages = {"SC_AVPHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr("os.sysconf", lambda name: pages[name], raising=False)
    assert available_memory(root=tmp_path) == 40960

    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", unknown, raising=False)
    assert available_memory(root=tmp_path) is None


def test_numbers_of_bytes():
    assert [in_gigabytes(n) for n in (3_440_000_000, 144e6, 5e6)] == [
        "3.4 GB",
        "0.1 GB",
        "0.005 GB",
    ]


def test_a_peak_is_that_since_the_watch_began():
    first = watch_peak()
    taken = torch.ones(2**24)  # 64 MiB
    del taken
    with_it, second = first(), watch_peak()
    if with_it is None:
        pytest.skip("the system does not tell")
    assert with_it - second() > 40e6

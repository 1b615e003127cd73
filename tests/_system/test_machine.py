"""What this process may use: its cores and its memory, also in a container."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from k2c._system.machine import usable_cores, usable_memory

GIB = 2**30
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"
V1 = (
    "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
)
# A container that sees the host's paths, with its own group mounted as the top.
V1_OF_DOCKER = V1.replace(" / /sys", " /docker/abc /sys")
UNLIMITED = str(2**63 - 4096)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that makes the files of a machine with 8 cores and 16 GiB; the values are its files."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("M", (), {"total": 16 * GIB})())

    def make(group: str, mounts: str, files: dict[str, str]) -> Path:
        for name, text in {"proc/self/cgroup": group, "proc/self/mountinfo": mounts, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text + "\n")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("group", "mounts", "files", "cores", "gib"),
    [
        pytest.param("0::/", V2, {}, 8, 16, id="no limit"),
        pytest.param("0::/", V2, {"cpu.max": "max 100000", "memory.max": "max"}, 8, 16, id="max"),
        pytest.param("0::/", V2, {"cpu.max": "100000 100000", "memory.max": str(GIB)}, 1, 1, id="one CPU"),
        pytest.param("0::/", V2, {"cpu.max": "50000 100000"}, 1, 16, id="half a CPU"),
        pytest.param("0::/", V2, {"cpu.max": "150000 100000"}, 2, 16, id="one and a half"),
        pytest.param("0::/", V2, {"cpu.max": "3200000 100000"}, 8, 16, id="more than there are"),
        pytest.param("0::/", V2, {"memory.high": str(2 * GIB), "memory.max": str(4 * GIB)}, 8, 2, id="high"),
        pytest.param("0::/", V2, {"memory.max": str(64 * GIB)}, 8, 16, id="more memory than there is"),
        pytest.param(
            "0::/a/b/c",
            V2,
            {"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000", "a/b/c/memory.max": str(3 * GIB)},
            2,
            3,
            id="nested groups",
        ),
        pytest.param("0::/../../x", V2, {"cpu.max": "200000 100000"}, 2, 16, id="outside of what is mounted"),
        pytest.param("0::/", V2, {"cpu.max": "", "memory.max": "what"}, 8, 16, id="unreadable"),
        pytest.param("0::/", V2, {"cpu.max": "9" * 5000, "memory.max": "--5"}, 8, 16, id="no numbers"),
        pytest.param("0::/", V2, {"cpu.max": "-1 100000", "memory.max": "-1"}, 8, 16, id="-1"),
        pytest.param(
            "0::/\n\ngarbage\n7", V2, {"memory.max": str(GIB)}, 8, 1, id="a group that is no line of the form"
        ),
        pytest.param(
            "0::/",
            f"1 - cgroup2\n\n1 2 3 / /x\n{V2}",
            {"memory.max": str(GIB)},
            8,
            1,
            id="a mount that is none",
        ),
        pytest.param(
            "4:memory:/job\n2:cpu,cpuacct:/job\n0::/",
            V1,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/job/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": UNLIMITED,
                "memory/job/memory.limit_in_bytes": str(5 * GIB),
            },
            3,
            5,
            id="version 1",
        ),
        pytest.param(
            "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc",
            V1_OF_DOCKER,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "100000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": str(GIB),
            },
            1,
            1,
            id="version 1 in Docker",
        ),
    ],
)
def test_the_smallest_limit_along_the_way_counts(machine, group, mounts, files, cores, gib):
    root = machine(group, mounts, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert usable_cores(root) == cores
    assert usable_memory(root) == gib * GIB


def test_without_control_groups_the_machine_is_all_there_is(machine, tmp_path):
    assert usable_cores(tmp_path) == 8
    assert usable_memory(tmp_path) == 16 * GIB


@pytest.mark.parametrize(
    ("limit", "asked", "workers", "planned"),
    [
        (GIB, 4, 1, GIB),  # a notebook is promised what there is, not 4 GB
        # Its files, and as much shared memory again, are memory too: half of what it is promised.
        (GIB, 0.25, 2, 250_000_000),
        (16 * GIB, 4, 2, 4_000_000_000),
    ],
)
def test_the_grader_plans_with_the_memory_of_its_container(monkeypatch, limit, asked, workers, planned):
    from k2c._system import machine
    from k2c.cli.grade import _limits

    monkeypatch.setattr(machine, "usable_memory", lambda: limit)
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)
    limits, number = _limits(600, asked, None)
    assert (number, limits.memory, limits.threads) == (workers, planned, 8 // workers)


@pytest.mark.parametrize(("before", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "2"}, 2)])
@pytest.mark.parametrize("first", ["torch", "k2c"])
def test_torch_takes_the_threads_that_the_quota_pays_for(before, threads, first):
    code = f"""
import {first}, os
from k2c._system import machine
machine._affinity, machine.cpu_quota = lambda: 8, lambda root: 0.5
machine.keep_to_quota()
import torch
print(torch.get_num_threads())
"""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"} | before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(threads)], done.stderr

"""What this machine is, without importing torch: cores and memory (container limits included), GPUs, versions."""

import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import psutil

PACKAGES = ("k2c", "torch", "torchvision", "numpy", "scikit-learn", "matplotlib", "papermill", "ipykernel")


def describe_machine() -> dict[str, str]:
    """Return what a report says of the machine: no host name, user name or path."""
    facts = {
        "system": f"{platform.system()} {platform.release().split('-')[0]} ({platform.machine()})",
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory": f"{usable_memory() / 2**30:.3g} GiB",
    }
    return facts | {"gpu": ", ".join(nvidia_gpus()) or "none found"}


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that this process may use: its affinity, or its container's quota if that is less.

    Fractions are rounded up: with a quota of one and a half cores, two may compute at the same time.
    """
    cores, quota = _affinity(), cpu_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota - 1e-6)))


def usable_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process may use: the machine's, or its container's limit if that is less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    return min(total, memory_limit(root) or total)


def memory_of(processes: Iterable["psutil.Process"], kind: Literal["rss", "uss", "pss"]) -> int:
    """Return the bytes that processes hold together; one that has ended meanwhile holds none.

    Parameters
    ----------
    processes
        The processes.
    kind
        `rss` counts what they share for each of them, `uss` not at all, and `pss` once. The first is quick to read.
    """
    import psutil

    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += getattr(process.memory_info() if kind == "rss" else process.memory_full_info(), kind)
    return total


def keep_to_quota() -> None:
    """Let numerical libraries use no more threads than a container's quota pays for.

    They count the cores that they see; with more threads than the quota allows, each waits most of its time. What the
    user has set stays (`OMP_NUM_THREADS`), and so does everything where no quota is the limit.
    """
    cores = usable_cores()
    if cores == _affinity() or "OMP_NUM_THREADS" in os.environ:
        return
    os.environ["OMP_NUM_THREADS"] = str(cores)
    if torch := sys.modules.get("torch"):  # it has read the variable already
        torch.set_num_threads(cores)


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Return Python's version and those of the packages that decide a result."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def nvidia_gpus() -> list[str]:
    """Return the names of the NVIDIA GPUs that the driver reports, or an empty list."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        if names and names[0]:
            return names[0]
    return platform.processor() or platform.machine()


# The limits that a container or a batch system sets to this process: Linux control groups, versions 1 and 2.


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return how many processors' worth of time this process may use; None where nothing limits it.

    Parameters
    ----------
    root
        Where `proc` and `sys` are.
    """
    quotas = []
    for folder in _folders(root, "cpu"):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            match [number for name in names for number in _numbers(folder / name)]:
                case [quota, period] if quota > 0 and period > 0:
                    quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process and those beside it may take; None where nothing limits them.

    Version 1 has no word for "no limit" but a number that no machine has: compare with the machine's memory.
    """
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    limits = [
        number for folder in _folders(root, "memory") for name in names for number in _numbers(folder / name)
    ]
    return min(limits, default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's groups, from its own to the outermost that can be seen.

    A limit of any of them holds, so the smallest along the way counts.
    """
    groups = _groups(root)
    for mount, inside, kind in _mounts(root, controller):
        group = groups.get(controller if kind == "cgroup" else "")
        if group is None:
            continue
        # A container may see its own group as the whole tree: then the path is not one of what is mounted.
        path = group.relative_to(inside) if group.is_relative_to(inside) else PurePosixPath()
        if ".." in path.parts:
            path = PurePosixPath()
        for step in (path, *path.parents):
            yield mount / step


def _groups(root: Path) -> dict[str, PurePosixPath]:
    """Return this process's group by controller; that of version 2 has no controller's name."""
    groups: dict[str, PurePosixPath] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if path:
            groups |= dict.fromkeys(controllers.split(","), PurePosixPath(path))
    return groups


def _mounts(root: Path, controller: str) -> Iterator[tuple[Path, PurePosixPath, str]]:
    """Yield where a controller's tree is mounted, which group is its top, and its kind."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        where, what = [_unescaped(word) for word in left.split()], right.split()
        if len(where) < 5 or len(what) < 3:
            continue
        if what[0] == "cgroup2" or (what[0] == "cgroup" and controller in what[2].split(",")):
            yield root / where[4].lstrip("/"), PurePosixPath(where[3]), what[0]


def _unescaped(word: str) -> str:
    """Return a path of mountinfo, which writes a space as its octal number."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _numbers(file: Path) -> list[int]:
    """Return the numbers in a file; `max` and -1, the words for no limit, are none."""
    return [int(word) for word in " ".join(_lines(file)).split() if re.fullmatch(r"[0-9]{1,30}", word)]


def _lines(file: Path) -> list[str]:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="utf-8").splitlines()
    return []

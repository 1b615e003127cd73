"""What this machine is: cores, memory, GPUs and package versions, without importing torch."""

import math
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from k2c._system.cgroups import cpu_quota, memory_limit

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

    Half a core counts as one, and one and a half as two: some of their time is then idle, but all can be used.
    """
    cores, quota = _affinity(), cpu_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota - 1e-6)))


def usable_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process may use: the machine's, or its container's limit if that is less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    return min(total, memory_limit(root) or total)


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

"""What this machine is: cores, memory, GPUs and package versions, without importing torch."""

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("k2c", "torch", "torchvision", "numpy", "scikit-learn", "matplotlib", "papermill", "ipykernel")


def describe_machine() -> dict[str, str]:
    """Return what a report says of the machine: no host name, user name or path."""
    facts = {
        "system": f"{platform.system()} {platform.release().split('-')[0]} ({platform.machine()})",
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
    }
    return facts | {"gpu": ", ".join(nvidia_gpus()) or "none found"}


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
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

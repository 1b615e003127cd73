"""What this machine has for the lectures, and what to do about what it has not."""

import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from k2c._system.advice import pip_install
from k2c._system.machine import nvidia_gpus, usable_cores
from k2c._system.paths import cache_dir, offline, project_root
from k2c._system.terminal import Terminal
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError

FREE_GIGABYTES = 1.0  # all cached data and a few hundred executed notebooks
CUDA_PACKAGES = r"(torch|triton|(nvidia|cuda)[-_].*)$"  # what a CUDA build of torch brings


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what
        Its name.
    status
        `ok`; `optional` when it is not there and every lecture runs all the same; `missing` when one does not.
    found
        What was found.
    remedy
        What to do when it is not ok.
    """

    what: str
    status: Literal["ok", "optional", "missing"]
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything that the lectures use."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _course, _torch, _gpu, _opencl, _strategies, _kernel, _grading, _folders, _data,
    )  # fmt: skip
    return [finding for check in checks for finding in check()]


def print_findings(findings: list[Finding], console: Terminal) -> None:
    """Print the findings as a table, and what to do below it."""
    marks = {"ok": ("✓", "green"), "optional": ("–", "yellow"), "missing": ("✗", "red")}
    table = Table(box=None, padding=(0, 2), show_header=False)
    for finding in findings:
        remedy = (f"\n{finding.remedy}" if finding.remedy else "", "dim")
        text = console.text(finding.found, remedy)
        table.add_row(Text(*marks[finding.status]), Text(finding.what, "bold"), text)
    console.print(table)
    missing = [finding.what for finding in findings if finding.status == "missing"]
    if missing:
        console.say(("\nSome lectures cannot run yet:", "red"), f" see {', '.join(missing)} above.")
    else:
        console.say(("\nEvery lecture can run here.", "green"), " (– is optional.)")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok", f"{version}, {usable_cores()} cores")


def _course() -> Iterator[Finding]:
    try:
        yield Finding("course", "ok", f"{len(load_syllabus().lectures)} lectures in {project_root()}")
    except K2CError as error:
        yield Finding("course", "missing", str(error), "Run k2c inside the folder that you cloned.")


def _torch() -> Iterator[Finding]:
    try:
        torch = importlib.import_module("torch")
        compat = importlib.import_module("k2c._system.torchvision_compat")
        torchvision = compat.import_torchvision()
    except Exception as error:
        remedy = f"Install the pair again: {pip_install('--force-reinstall', 'torch', 'torchvision')}"
        yield Finding("torch", "missing", f"{type(error).__name__}: {error}", remedy)
        return
    pair = f"torch {torch.__version__} with torchvision {torchvision.__version__}"
    note = " (two operators declared, since the builds differ)" if compat.declared() else ""
    yield Finding("torch", "ok", pair + note)
    if torch.version.cuda and not torch.cuda.is_available() and not nvidia_gpus():
        version, size = torch.__version__.partition("+")[0], _installed_gigabytes(CUDA_PACKAGES)
        remedy = (
            f"A CPU build of torch {version} does the same here and is several times smaller: choose CPU on PyTorch's "
            "page 'Get started', and install it into a new environment before the kit, as README says."
        )
        found = f"for CUDA, {size:.1f} GB with its libraries; there is no NVIDIA GPU here"
        yield Finding("torch build", "optional", found, remedy)


def _installed_gigabytes(pattern: str) -> float:
    """Return the size of the packages whose names match, as their own lists of files say."""
    matching = (one for one in metadata.distributions() if re.match(pattern, one.metadata["Name"] or ""))
    return sum(file.size or 0 for one in matching for file in one.files or ()) / 1e9


def _gpu() -> Iterator[Finding]:
    try:
        torch = importlib.import_module("torch")
    except Exception:
        return
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Finding("GPU", "ok", ", ".join(names))
    elif torch.backends.mps.is_available():
        yield Finding("GPU", "ok", "Apple (MPS)")
    elif nvidia_gpus():
        remedy = (
            "This torch is a CPU build or does not match the driver: install a CUDA build of torch to use it."
        )
        yield Finding("GPU", "optional", f"{', '.join(nvidia_gpus())}, not usable by this torch", remedy)
    else:
        yield Finding("GPU", "optional", "none; the lectures use the CPU")


def _opencl() -> Iterator[Finding]:
    try:
        opencl = importlib.import_module("k2c.kernels.opencl")
        names = [opencl.runtime_of(device) for device in opencl.opencl_devices()]
    except K2CError as error:
        yield Finding("OpenCL", "optional", "no device; lecture 4 runs on NumPy instead", str(error))
    else:
        yield Finding("OpenCL", "ok", ", ".join(names))


def _strategies() -> Iterator[Finding]:
    try:
        parallel = importlib.import_module("k2c.parallel")
    except Exception:
        return  # reported under `torch`
    for strategy in parallel.all_strategies():
        what, missing = f"strategy {strategy.name}", strategy.missing()
        if missing:
            yield Finding(what, "optional", "not installed; lecture 6 leaves it out", missing)
        else:
            yield Finding(what, "ok", "installed")


def _kernel() -> Iterator[Finding]:
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    remedy = f"Run: {pip_install('--force-reinstall', 'ipykernel')}"
    try:
        manager = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager()
        spec = manager.get_kernel_spec("python3")
    except Exception as error:
        yield Finding("kernel", "missing", f"no kernel python3: {error}", remedy)
        return
    interpreter = shutil.which(spec.argv[0]) or spec.argv[0]
    if spec.argv[0].startswith("python") or Path(interpreter).resolve() == Path(sys.executable).resolve():
        yield Finding("kernel", "ok", "python3, of this environment")
    else:
        yield Finding("kernel", "missing", f"python3 is another Python: {json.dumps(spec.argv[0])}", remedy)


def _grading() -> Iterator[Finding]:
    grading = importlib.import_module("k2c.runs.grading")
    try:
        engine = grading.find_engine()
    except K2CError as error:
        yield Finding("grading", "optional", "no engine for `k2c grade`", str(error))
    else:
        yield Finding("grading", "ok", f"{engine.name} keeps students' notebooks in")


def _folders() -> Iterator[Finding]:
    try:
        cache = cache_dir()
    except K2CError as error:
        yield Finding("data cache", "missing", "no home folder", str(error))
        return
    for what, folder in (("runs folder", Path("runs")), ("data cache", cache)):
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free / 1e9
        if not _writable(existing):
            remedy = (
                "Work in a folder of your own."
                if what == "runs folder"
                else "Set K2C_DATA to a folder of yours."
            )
            yield Finding(what, "missing", f"{folder} cannot be written", remedy)
        elif free < FREE_GIGABYTES:
            remedy = f"Free some: the lectures need about {FREE_GIGABYTES:g} GB."
            yield Finding(what, "missing", f"{folder}: only {free:.2f} GB free on the disk", remedy)
        else:
            yield Finding(what, "ok", f"{folder}: writable, {free:.0f} GB free")


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _data() -> Iterator[Finding]:
    datasets = importlib.import_module("k2c.datasets")
    try:
        needed = {name for lecture in load_syllabus().lectures.values() for name in lecture.data}
        entries = datasets.entries()
    except K2CError:
        return  # reported under `course`
    for entry in entries:
        what, command = f"data {entry.id}", f"`k2c data fetch {entry.id}`"
        size = entry.download_text
        if datasets.is_cached(entry.id):
            yield Finding(what, "ok", "here")
        elif broken := datasets.damaged(entry.id):
            yield Finding(what, "missing", " ".join(broken), f"Fetch it again with {command} ({size}).")
        elif not entry.by_default:
            continue  # one of many sizes of a large set: `k2c data list` shows them
        elif entry.id not in needed:
            yield Finding(what, "optional", "not here; no lecture needs it by default", f"{command} ({size})")
        elif offline():
            remedy = f"Unset K2C_OFFLINE and run {command} ({size})."
            yield Finding(what, "missing", "not here, and K2C_OFFLINE forbids the network", remedy)
        else:
            remedy = f"It is fetched at first use ({size}); {command} does it now."
            yield Finding(what, "optional", "not here yet", remedy)

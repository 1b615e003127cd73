"""What there is, and what happens where it is not: no platform, no GPU, no compiler; PTX without a GPU."""

import re
import subprocess
import sys

import numpy as np
import pytest

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels.build import define_flags, shapes_of
from k2c.kernels.low_level import sum_with_cuda, sum_with_opencl
from k2c.kernels.nvrtc import load_nvrtc


def test_devices_are_listed_with_the_reason_for_those_that_are_not_here():
    listed = {device.name: device for device in kernels.devices()}
    assert list(listed) == ["opencl", "cuda", "numpy", "torch"]
    assert listed["numpy"].found and listed["torch"].found
    assert all(device.detail for device in listed.values())


def test_an_unknown_device_is_refused():
    with pytest.raises(
        K2CError, match=r"There is no device 'opengl'\. Devices are opencl, cuda, numpy, torch"
    ):
        kernels.open("opengl")


def test_without_opencl_numpy_stands_in_and_says_so():
    code = """
import sys, warnings
sys.modules["pyopencl"] = None
from k2c import kernels
import numpy as np
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    ops = kernels.open()
print(ops.name, "|", said[0].message)
a, out = ops.put(np.ones(5, np.float32)), ops.empty(5)
ops.run("vector_add", 5, a, a, out, 5)
print(ops.get(out), ops.sum(a))
for attempt in (lambda: kernels.open("opencl"), lambda: ops.compile("")):
    try:
        attempt()
    except Exception as error:
        print(type(error).__mro__[-3].__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("numpy | pyopencl is not installed. Install a CPU device")
    assert lines[0].endswith("NumPy stands in for the kernels.")
    assert lines[1] == "[2. 2. 2. 2. 2.] 5.0"
    assert '-m pip install "pyopencl[pocl]"' in lines[2] and "runs no kernels" in lines[3]


IN_MEMORY = "conv_pool_input"  # it lists the filters of each pixel, more numbers than there are registers


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
@pytest.mark.parametrize("file", kernels.sources())
def test_every_kernel_compiles_to_ptx(file, kind):
    try:
        load_nvrtc()
    except K2CError as error:
        pytest.skip(str(error))
    for shape in shapes_of(kind, file):
        ptx = kernels.compile_cuda(kernels.source_of(file), file, define_flags(shape)).decode()
        entries = set(re.findall(r"\.entry (\w+)\(", ptx))
        assert entries == {name for name, spec in kernels.SPECIFICATIONS.items() if spec.source == file}
        if kind == "gpu":  # what should be in registers is in registers
            bodies = {body.split("(")[0]: body for body in ptx.split(".entry ")[1:]}
            assert {name for name, body in bodies.items() if ".local ." in body} <= {IN_MEMORY}


def test_nvrtc_shows_the_line_of_an_error():
    try:
        load_nvrtc()
    except K2CError as error:
        pytest.skip(str(error))
    with pytest.raises(K2CError, match=r"(?s)mine does not compile:.*line 2: .*totl.*2 \|   x\[0\] = totl;"):
        kernels.compile_cuda("KERNEL f(GLOBAL float *x) {\n  x[0] = totl;\n}", "mine")


@pytest.mark.parametrize("total", [sum_with_opencl, sum_with_cuda])
@pytest.mark.parametrize("n", [1, 255, 257, 50_000])
def test_the_sum_by_c_calls_alone(total, n):
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    try:
        got = total(x)
    except K2CError as error:
        if "here" not in str(error):
            raise
        pytest.skip(str(error))
    assert abs(got - x.sum(dtype=np.float64)) < 1e-6 * np.abs(x).sum()


def test_the_sum_by_c_calls_runs_on_the_platform_that_is_named():
    x = np.ones(1000, np.float32)
    try:
        platform = kernels.open("opencl").device.platform.name
    except K2CError as error:
        pytest.skip(str(error))
    assert sum_with_opencl(x, platform) == 1000
    with pytest.raises(K2CError, match="with 'no such' in its name"):
        sum_with_opencl(x, "no such")

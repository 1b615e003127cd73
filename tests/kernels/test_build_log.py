"""What compilers and drivers say of a build: kept with the device, shown to the author, off standard error."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels import Attempt, KernelWarning
from k2c.kernels.build_log import caught_output
from k2c.kernels.nvrtc import load_nvrtc

WARNS = """KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    i < n;
    if (i < n) out[i] = x[i] > 0.0f ? x[i] : 0.0f;
}"""
CLEAN = WARNS.replace("    i < n;\n", "")


def runtimes():
    try:
        return [kernels.runtime_of(device) for device in kernels.opencl_devices()]
    except K2CError:
        return []


@pytest.fixture(params=runtimes())
def opencl(request):
    return kernels.open("opencl", request.param)


def test_a_warning_is_kept_with_its_line_and_shown_to_its_author(opencl, capfd):
    with pytest.warns(
        KernelWarning, match=r"(?s)relu compiles, and the compiler warns:.*line 3: .*   3 \|     i < n;"
    ):
        kernel = opencl.compile(WARNS)
    assert kernel.warnings and all("line 3: " in warning for warning in kernel.warnings)
    (message, *_) = [message for message in opencl.build_log if message.source == WARNS]
    assert (message.title, message.warnings) == ("relu", kernel.warnings)
    assert "unused" in message.text and "unused" in repr(message)
    x, out = opencl.put(np.float32([-1, 2])), opencl.empty(2)
    kernel.run(2, x, out, 2)
    assert (
        capfd.readouterr().err == ""
    )  # neither clang's "1 warning generated." nor pyopencl's CompilerWarning


def test_an_attempt_tells_its_warnings_when_asked(opencl):
    with pytest.warns(KernelWarning):
        assert "unused" in Attempt(opencl, WARNS).warnings()[0]
    assert Attempt(opencl, CLEAN).warnings() == ()


def test_what_nobody_here_wrote_warns_nobody(opencl, checked):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opencl.compile(CLEAN)
        for name in kernels.SPECIFICATIONS:
            checked(opencl, name)
    assert not [message for message in opencl.build_log if "ABI" in message.text]


@pytest.mark.parametrize("runtime", runtimes())
def test_a_process_that_builds_and_launches_every_way_prints_nothing(runtime):
    code = f"""
import numpy as np
from k2c import kernels
from k2c.kernels.low_level import sum_with_opencl
ops = kernels.open("opencl", {runtime!r})
x = np.ones(1000, np.float32)
assert ops.sum(ops.put(x)) == sum_with_opencl(x) == 1000
ops.softmax(ops.put(x.reshape(10, 100)))
weight = ops.put(np.ones((2, 1, 5, 5), np.float32))
ops.conv2d_backward(ops.put(np.ones((1, 1, 12, 12), np.float32)), weight, ops.put(np.ones((1, 2, 8, 8), np.float32)))
ops.synchronize()
"""
    environment = os.environ | {"POCL_KERNEL_CACHE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nvrtc_warns_too():
    try:
        load_nvrtc()
    except K2CError as error:
        pytest.skip(str(error))
    said = []
    kernels.compile_cuda(WARNS, "mine", said=said)
    assert "line 3: " in kernels.BuildMessage("mine", WARNS, said[0]).warnings[0]


def test_references_build_nothing():
    assert list(kernels.open("numpy").build_log) == []


def test_output_is_caught_by_descriptor_and_given_back_after_an_exception(capfd):
    with pytest.raises(ValueError, match="mine"), caught_output() as said:
        os.write(2, b"1 warning generated.\n")
        raise ValueError("mine")
    os.write(2, b"after\n")
    assert (said, capfd.readouterr().err) == (["1 warning generated.\n"], "after\n")


def test_a_process_without_standard_error_builds_too():
    code = """
import os
from k2c.kernels.build_log import caught_output
os.close(2)
with caught_output():
    print("built")
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout == "built\n"

"""Intel's runtime is found where pip put it, beside PoCL, and a half of it harms nobody."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels.runtimes import intel_runtime

LIST = "from k2c import kernels; print(*kernels.devices()[0:1])"
needs_intel = pytest.mark.skipif(intel_runtime() is None, reason="not installed: pip install 'k2c[intel]'")


def listed(code=LIST, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@needs_intel
def test_both_runtimes_are_listed_and_opened_by_name():
    found = listed()
    assert "Intel(R) OpenCL" in found and "Portable Computing Language" in found
    assert found.count("Portable Computing Language") == 1
    for name in ("intel", "portable"):
        assert name in kernels.open("opencl", name).runtime.lower()
    with pytest.raises(K2CError, match=r"No OpenCL device has 'amiga' in its name\. Devices are: .*Intel"):
        kernels.open("opencl", "amiga")


@needs_intel
def test_a_users_own_choice_of_drivers_stays(tmp_path):
    assert "Intel" not in listed(OCL_ICD_VENDORS=str(tmp_path))


@needs_intel
def test_the_environment_is_as_before():
    code = "import os\nbefore = dict(os.environ)\n" + LIST
    code += "\nafter = dict(os.environ); after.pop('PYOPENCL_HOME', None); before.pop('PYOPENCL_HOME', None)"
    assert listed(code + "\nprint(before == after)").splitlines()[-1] == "True"


@needs_intel
@pytest.mark.parametrize("gone", ["libtbb.so.12", "libimf.so", "libcommon_clang.so", "libintelocl.so", "all"])
def test_half_an_installation_is_passed_over(gone):
    """Files that a package names and that are not there: an installation that was stopped."""
    code = f"""
from importlib import metadata
real = metadata.files
def files(package):
    if package not in ("intel-opencl-rt", "tbb", "intel-cmplr-lib-rt"): return real(package)
    if {gone!r} == "all": raise metadata.PackageNotFoundError(package)
    return [file for file in real(package) if file.name != {gone!r}]
metadata.files = files
"""
    assert "Portable Computing Language" in listed(code + LIST)


@needs_intel
def test_a_library_that_is_damaged_is_passed_over(tmp_path):
    (tmp_path / "libintelocl.so").write_bytes(b"\x7fELF cut short")
    code = f"""
from pathlib import Path
from k2c.kernels import runtimes
real = runtimes._file
runtimes._file = lambda p, n: Path({str(tmp_path)!r}, n) if n == "libintelocl.so" else real(p, n)
"""
    assert "Intel" not in listed(code + LIST)


@needs_intel
def test_a_runtime_that_cannot_be_opened_is_not_chosen(tmp_path):
    code = """
from k2c import kernels
from k2c.kernels import tuner
tuner.BUDGET, tuner.print = 0.01, lambda *said, **to: None
print(kernels.open().runtime, {row.device for row in kernels.tuning().rows})
"""
    broken = {"CL_CONFIG_CPU_TARGET_ARCH": "", "K2C_TUNE": "1", "K2C_DATA": str(tmp_path)}
    assert "Portable" in listed(code, **broken) and "Intel" not in listed(code, **broken)
    with pytest.raises(AssertionError, match="cannot be opened here"):
        listed("from k2c import kernels; kernels.open('opencl', 'intel')", **broken)


@needs_intel
def test_doctor_lists_each_runtime():
    assert metadata.version("intel-opencl-rt")
    done = subprocess.run([sys.executable, "-m", "k2c", "doctor"], capture_output=True, text=True)
    text = " ".join(done.stdout.split())
    assert "Intel(R) OpenCL" in text and "Portable Computing Language" in text

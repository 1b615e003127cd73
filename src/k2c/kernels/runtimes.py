"""The OpenCL runtimes of this machine: PoCL, the system's drivers, and Intel's where its packages are installed."""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

SYSTEM_DRIVERS = Path("/etc/OpenCL/vendors")
INTEL = "libintelocl.so"
# What Intel's runtime needs, by the package that brings it, each before those that need it.
_NEEDED = {
    "intel-cmplr-lib-rt": ("libintlc.so.5", "libirng.so", "libimf.so", "libsvml.so"),
    "tbb": ("libtbb.so.12",),
    "intel-opencl-rt": ("libcommon_clang.so", INTEL),
}


def platforms() -> list[Any]:
    """Return pyopencl's platforms.

    The loader of pyopencl's wheels finds PoCL beside itself and the system's drivers, and not what pip installed
    elsewhere. Intel's runtime (the kit's extra `intel`) is shown to it here, when its list of platforms is
    asked for the first time. A user's own OCL_ICD_VENDORS or OCL_ICD_FILENAMES stays as it is.
    """
    import pyopencl as cl

    with _intel_shown():
        try:
            return list(cl.get_platforms())
        except cl.Error:  # no platform at all is an error to the loader
            return []


@contextmanager
def _intel_shown() -> Iterator[None]:
    library = intel_runtime()
    if library is None or {"OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"} & os.environ.keys():
        yield
        return
    folder = _drivers_with(library)
    if folder is None:
        yield
        return
    os.environ["OCL_ICD_VENDORS"] = str(folder)
    try:
        yield
    finally:
        del os.environ["OCL_ICD_VENDORS"]
        shutil.rmtree(folder, ignore_errors=True)


def _drivers_with(library: Path) -> Path | None:
    """Return a new folder that names the system's drivers and a library; None where nothing can be written."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="k2c-opencl-"))
        for driver in SYSTEM_DRIVERS.glob("*.icd"):
            shutil.copy(driver, folder)
        (folder / "k2c-intel.icd").write_text(f"{library}\n", encoding="utf-8")
    except OSError:
        return None
    return folder


@cache
def intel_runtime() -> Path | None:
    """Return the library of Intel's OpenCL runtime for CPUs; None where it, or something it needs, is missing."""
    if not sys.platform.startswith("linux"):
        return None
    library = None
    for package, names in _NEEDED.items():
        for name in names:
            library = _file(package, name)
            if library is None:
                continue
            try:
                # Loaded by their paths, so that nobody has to set LD_LIBRARY_PATH.
                ctypes.CDLL(str(library))
            except OSError:
                library = None
    return library


def _file(package: str, name: str) -> Path | None:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())).resolve() for file in files if file.name == name]
    return next((path for path in found if path.is_file()), None)

"""The sum without any library for Python: C functions called through ctypes, first OpenCL's, then NVIDIA's.

These are the calls that every framework makes in the end. Each returns an error code, and each object that is
made has to be released.
"""

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.kernels.build import full_source, options_of, source_of
from k2c.kernels.build_log import caught_output
from k2c.kernels.driver import call, get_function, launch, load_driver, load_module
from k2c.kernels.nvrtc import compile_cuda

# Numbers of CL/cl.h.
DEVICE_TYPE_ALL = 0xFFFFFFFF
MEM_WRITE_ONLY, MEM_READ_ONLY, MEM_COPY_HOST_PTR = 1 << 1, 1 << 2, 1 << 5
BLOCKING, PROGRAM_BUILD_LOG, PLATFORM_NAME = 1, 0x1183, 0x0902
GROUP = options_of("cpu", "reduce.cl")["GROUP"]
MOST_GROUPS = 64


def sum_with_opencl(x: np.ndarray, platform: str = "") -> float:
    """Return the sum of x, float32 (n,), from clGetPlatformIDs to clEnqueueReadBuffer.

    `platform` is part of a platform's name; the first platform with a device when empty.

    Raises
    ------
    K2CError
        When there is no OpenCL library or no such device, or a call reports an error.
    """
    x = _checked(x)
    cl = load_opencl()
    with ExitStack() as release:
        device = _first_device(cl, platform)
        context = _make(cl, release, "Context", None, c_uint(1), byref(device), None, None)
        queue = _make(cl, release, "CommandQueue", context, device, c_uint64(0))
        kernel = _build(cl, release, context, device)

        groups = max(1, min(MOST_GROUPS, -(-x.size // GROUP)))
        partial = np.zeros(groups, np.float32)
        flags = c_uint64(MEM_READ_ONLY | MEM_COPY_HOST_PTR)
        given = _make(cl, release, "Buffer", context, flags, c_size_t(x.nbytes), x.ctypes.data_as(c_void_p))
        result = _make(
            cl, release, "Buffer", context, c_uint64(MEM_WRITE_ONLY), c_size_t(partial.nbytes), None
        )

        for index, argument in enumerate((given, result, c_int(x.size))):
            size = c_size_t(ctypes.sizeof(argument))
            _call(cl, "clSetKernelArg", kernel, c_uint(index), size, byref(argument))
        work_items, group = c_size_t(groups * GROUP), c_size_t(GROUP)
        _call(
            cl, "clEnqueueNDRangeKernel", queue, kernel, c_uint(1), None, byref(work_items), byref(group),
            c_uint(0), None, None,
        )  # fmt: skip
        _call(
            cl, "clEnqueueReadBuffer", queue, result, c_uint(BLOCKING), c_size_t(0), c_size_t(partial.nbytes),
            partial.ctypes.data_as(c_void_p), c_uint(0), None, None,
        )  # fmt: skip
    return float(partial.sum())


def sum_with_cuda(x: np.ndarray) -> float:
    """Return the sum of x, float32 (n,), by NVIDIA's driver: cuModuleLoadData, cuLaunchKernel.

    Raises
    ------
    K2CError
        When there is no driver, GPU or compiler, or a call reports an error.
    """
    x = _checked(x)
    cu = load_driver()
    groups = max(1, min(MOST_GROUPS, -(-x.size // GROUP)))
    partial = np.zeros(groups, np.float32)
    device, context = c_int(), c_void_p()
    call(cu, "cuDeviceGet", byref(device), c_int(0))
    call(cu, "cuDevicePrimaryCtxRetain", byref(context), device)
    with ExitStack() as release:
        release.callback(cu.cuDevicePrimaryCtxRelease_v2, device)
        call(cu, "cuCtxPushCurrent_v2", context)
        release.callback(cu.cuCtxPopCurrent_v2, byref(c_void_p()))
        ptx = compile_cuda(source_of("reduce.cl"), "reduce.cl", [f"-DGROUP={GROUP}"])
        module = load_module(cu, ptx)
        release.callback(cu.cuModuleUnload, module)
        kernel = get_function(cu, module, "sum")

        given, result = c_uint64(), c_uint64()
        for address, size in ((given, x.nbytes), (result, partial.nbytes)):
            call(cu, "cuMemAlloc_v2", byref(address), c_size_t(size))
            release.callback(cu.cuMemFree_v2, address)
        call(cu, "cuMemcpyHtoD_v2", given, x.ctypes.data_as(c_void_p), c_size_t(x.nbytes))
        launch(cu, kernel, (groups,), (GROUP,), [given.value, result.value, np.int32(x.size)])
        call(cu, "cuMemcpyDtoH_v2", partial.ctypes.data_as(c_void_p), result, c_size_t(partial.nbytes))
    return float(partial.sum())


@cache
def load_opencl() -> ctypes.CDLL:
    """Return the OpenCL library: the system's, or the one that pyopencl brought.

    Raises
    ------
    K2CError
        When there is none.
    """
    for candidate in _libraries():
        try:
            library = ctypes.CDLL(candidate)
        except OSError:
            continue
        for name in ("Context", "CommandQueue", "ProgramWithSource", "Kernel", "Buffer"):
            getattr(library, f"clCreate{name}").restype = c_void_p
        if library.clGetPlatformIDs(c_uint(0), None, byref(c_uint())) == 0:
            return library
    raise K2CError(
        f"There is no OpenCL library with a device here. Install one: {pip_install('pyopencl[pocl]')}"
    )


def _libraries() -> Iterator[str]:
    spec = find_spec("pyopencl")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent
        # Its loader looks for drivers below PYOPENCL_HOME, and finds PoCL only when that is loaded already.
        os.environ.setdefault("PYOPENCL_HOME", str(home))
        for driver in home.glob(".libs/libpocl*"):
            ctypes.CDLL(str(driver), mode=ctypes.RTLD_GLOBAL)
        yield from map(str, home.glob(".libs/libOpenCL*"))
    named = ctypes.util.find_library("OpenCL")
    if named:
        yield named
    yield {"win32": "OpenCL.dll", "darwin": "/System/Library/Frameworks/OpenCL.framework/OpenCL"}.get(
        sys.platform, "libOpenCL.so.1"
    )


def _first_device(cl: ctypes.CDLL, part: str) -> c_void_p:
    """Return the first device of the first platform that has `part` in its name and is no simulator."""
    count = c_uint()
    _call(cl, "clGetPlatformIDs", c_uint(0), None, byref(count))
    platforms = (c_void_p * count.value)()
    _call(cl, "clGetPlatformIDs", count, platforms, None)
    for platform in map(c_void_p, platforms):
        name = ctypes.create_string_buffer(256)
        _call(cl, "clGetPlatformInfo", platform, c_uint(PLATFORM_NAME), c_size_t(256), name, None)
        device = c_void_p()
        wanted = part.encode() in name.value and b"Oclgrind" not in name.value
        if wanted and not cl.clGetDeviceIDs(
            platform, c_uint64(DEVICE_TYPE_ALL), c_uint(1), byref(device), None
        ):
            return device
    named = f" with {part!r} in its name" if part else ""
    raise K2CError(
        f"No OpenCL platform here{named} has a device. Install one: {pip_install('pyopencl[pocl]')}"
    )


def _build(cl: ctypes.CDLL, release: ExitStack, context: c_void_p, device: c_void_p) -> c_void_p:
    source = c_char_p(full_source(source_of("reduce.cl"), "opencl").encode())
    program = _make(cl, release, "ProgramWithSource", context, c_uint(1), byref(source), None)
    with caught_output():
        failed = cl.clBuildProgram(program, c_uint(1), byref(device), f"-DGROUP={GROUP}".encode(), None, None)
    if failed:
        log = ctypes.create_string_buffer(1 << 16)
        cl.clGetProgramBuildInfo(program, device, c_uint(PROGRAM_BUILD_LOG), c_size_t(1 << 16), log, None)
        raise K2CError(f"reduce.cl does not compile: {log.value.decode(errors='replace')}")
    return _make(cl, release, "Kernel", program, c_char_p(b"sum"))


def _make(cl: ctypes.CDLL, release: ExitStack, what: str, *args: Any) -> c_void_p:
    """Call clCreate..., whose last argument is the error code, and have the object released in the end."""
    error = c_int()
    made = c_void_p(getattr(cl, f"clCreate{what}")(*args, byref(error)))
    if error.value:
        raise K2CError(f"clCreate{what} reports the OpenCL error {error.value}.")
    kind = {"ProgramWithSource": "Program", "Buffer": "MemObject"}.get(what, what)
    free: Callable[[c_void_p], int] = getattr(cl, f"clRelease{kind}")
    release.callback(free, made)
    return made


def _call(cl: ctypes.CDLL, function: str, *args: Any) -> None:
    status = getattr(cl, function)(*args)
    if status:
        raise K2CError(f"{function} reports the OpenCL error {status}.")


def _checked(x: np.ndarray) -> np.ndarray:
    if x.dtype != np.float32 or x.ndim != 1 or not x.size:
        raise K2CError(f"The sum takes float32 (n,) with n of 1 or more, and got {x.dtype} {x.shape}.")
    return np.ascontiguousarray(x)

"""The few calls of NVIDIA's driver that load and launch a kernel, through ctypes."""

import ctypes
import sys
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_float, c_int, c_uint, c_uint64, c_void_p
from functools import cache
from typing import Any

import numpy as np

from k2c.errors import K2CError


class NoDriver(K2CError):
    """There is no NVIDIA driver here."""


@cache
def load_driver() -> ctypes.CDLL:
    """Return libcuda, initialised.

    Raises
    ------
    NoDriver
        When there is no driver, or it finds no GPU.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        raise NoDriver(
            "There is no NVIDIA driver here (no libcuda). The device opencl runs on any machine."
        ) from None
    if driver.cuInit(c_uint(0)):
        raise NoDriver("The NVIDIA driver finds no GPU. The device opencl runs on any machine.")
    return driver


def call(driver: ctypes.CDLL, function: str, *args: Any) -> None:
    """Call a function of the driver.

    Raises
    ------
    K2CError
        When it reports an error.
    """
    status = driver[function](*args)
    if status:
        text = c_char_p()
        driver.cuGetErrorString(c_int(status), byref(text))
        raise K2CError(f"The NVIDIA driver's {function} reports: {(text.value or b'unknown').decode()}.")


def driver_version(driver: ctypes.CDLL) -> str:
    """Return the driver's version as NVIDIA counts it: 12080 for CUDA 12.8."""
    version = c_int()
    call(driver, "cuDriverGetVersion", byref(version))
    return str(version.value)


def load_module(driver: ctypes.CDLL, code: bytes) -> c_void_p:
    """Load PTX or a cubin into the current context."""
    module = c_void_p()
    call(driver, "cuModuleLoadData", byref(module), c_char_p(code))
    return module


def get_function(driver: ctypes.CDLL, module: c_void_p, name: str) -> c_void_p:
    """Return a kernel of a module."""
    function = c_void_p()
    call(driver, "cuModuleGetFunction", byref(function), module, name.encode())
    return function


def launch(
    driver: ctypes.CDLL,
    function: c_void_p,
    groups: Sequence[int],
    local: Sequence[int],
    arguments: Sequence[Any],
    stream: int = 0,
) -> None:
    """Launch a kernel.

    Parameters
    ----------
    groups, local
        The number of work-groups (blocks) and the size of each (threads), along up to three axes.
    arguments
        Addresses on the GPU as Python ints; numbers as np.int32 or np.float32.
    stream
        The stream's handle; 0 is the default one.
    """
    grid = [*groups, 1, 1][:3]
    block = [*local, 1, 1][:3]
    boxes = [_box(value) for value in arguments]
    pointers = (c_void_p * len(boxes))(*(ctypes.cast(byref(box), c_void_p) for box in boxes))
    sizes = [c_uint(size) for size in (*grid, *block)]
    call(driver, "cuLaunchKernel", function, *sizes, c_uint(0), c_void_p(stream), pointers, None)


def _box(value: Any) -> Any:
    if isinstance(value, np.floating):
        return c_float(float(value))
    if isinstance(value, np.integer):
        return c_int(int(value))
    return c_uint64(value)

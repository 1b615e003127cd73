"""Which devices there are, and opening one."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.cuda import CudaOps
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.on_numpy import NumpyOps
from k2c.kernels.on_torch import TorchOps
from k2c.kernels.opencl import NoOpenCL, OpenCLOps, opencl_devices, runtime_of
from k2c.kernels.tuner import Tuning, trials

NAMES = ("opencl", "cuda", "numpy", "torch")


@dataclass(frozen=True)
class Device:
    """A device that `open` knows.

    Attributes
    ----------
    name
        What to pass to `open`.
    found
        Whether it can be opened here.
    detail
        What the hardware calls itself, or why it is not found.
    """

    name: str
    found: bool
    detail: str

    def __repr__(self) -> str:
        return f"{self.name:<7} {'yes' if self.found else 'no ':<4} {self.detail}"


def devices() -> list[Device]:
    """Return what `open` can open here and what not, each with the reason."""
    found = []
    for name in NAMES:
        try:
            opencl = name == "opencl"
            detail = ", ".join(map(runtime_of, opencl_devices())) if opencl else _make(name).device_name
            found.append(Device(name, True, detail))
        except K2CError as error:
            found.append(Device(name, False, str(error)))
    return found


def open(device: str | None = None, hardware: str = "") -> Ops:
    """Open a device: memory, launches and operations.

    Parameters
    ----------
    device
        `opencl`, `cuda`, or a reference, `numpy` or `torch`. When not given: `opencl`, and on a machine without
        it `numpy`, with a warning that says so.
    hardware
        For `opencl`, part of the name of the device or its runtime when there are several (`Intel`, `Portable`).
        When empty: a GPU; else the runtime that computes fastest on this CPU, which the first opening measures.

    Raises
    ------
    K2CError
        When a device that was asked for by name is not here, or there is no such name.
    """
    if device is not None:
        return _make(device, hardware)
    try:
        return OpenCLOps(hardware)
    except NoOpenCL as error:
        warnings.warn(f"{error} Until then NumPy stands in for the kernels.", UserWarning, stacklevel=2)
        return NumpyOps()


def _make(device: str, hardware: str = "") -> Ops:
    if device == "opencl":
        return OpenCLOps(hardware)
    made: dict[str, Callable[[], Ops]] = {"cuda": CudaOps, "numpy": NumpyOps, "torch": TorchOps}
    if device not in made:
        raise K2CError(f"There is no device {device!r}. Devices are {', '.join(NAMES)}.")
    return made[device]()


def tuning(ops: Ops | None = None, again: bool = False) -> Tuning:
    """Return the shapes of the tuned kernels with the time of each, as a table; measured where they were not yet.

    Parameters
    ----------
    ops
        What `open` returned; every OpenCL device here when not given.
    again
        Measure anew what was measured before, for instance while the machine was busy. Devices that are opened
        afterwards use the result.
    """
    if ops is None:
        opened: list[Ops] = []
        for device in opencl_devices():
            with suppress(NoOpenCL):  # a runtime that cannot be opened has no times
                opened.append(OpenCLOps(device=device))
    else:
        opened = [ops]
    return Tuning(tuple(row for one in opened if isinstance(one, KernelOps) for row in trials(one, again)))

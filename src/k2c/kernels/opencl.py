"""OpenCL: any device with a driver, a CPU among them."""

import math
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.kernels import tuner
from k2c.kernels.buffers import Buffer, require
from k2c.kernels.build import build_error, define_flags, full_source, one_kernel
from k2c.kernels.build_log import caught_output
from k2c.kernels.launch import Launch
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.runtimes import platforms
from k2c.kernels.specification import Specification

INSTALL = f"Install a CPU device that needs no driver: {pip_install('pyopencl[pocl]')}."
SIMULATOR, POCL = "Oclgrind", "Portable Computing Language"
SETTINGS = ("CL_CONFIG_", "POCL_MAX")  # variables that change what a runtime compiles
NO_CACHE: Any = False  # what pyopencl takes for none


class NoOpenCL(K2CError):
    """There is no OpenCL device here."""


def opencl_devices() -> list[Any]:
    """Return the OpenCL devices (pyopencl's), GPUs first, then PoCL; without the simulator that `debug` uses.

    Raises
    ------
    NoOpenCL
        When pyopencl is not installed, or finds no device.
    """
    try:
        import pyopencl as cl
    except ImportError:
        raise NoOpenCL(f"pyopencl is not installed. {INSTALL}") from None
    found = {}
    for platform in platforms():
        if SIMULATOR not in platform.name:
            # A driver may be registered twice, beside pyopencl and in the system.
            found.update({(platform.name, platform.version, d.name): d for d in _devices_of(platform)})
    if not found:
        raise NoOpenCL(f"pyopencl finds no OpenCL device. {INSTALL}")
    return sorted(
        found.values(), key=lambda d: (not d.type & cl.device_type.GPU, POCL not in d.platform.name)
    )


def runtime_of(device: Any) -> str:
    """Return a device's name with its runtime's: `AMD EPYC (Intel(R) OpenCL 2026.22)`."""
    return f"{device.name.strip()} ({device.platform.name.strip()} {device.driver_version.strip()})"


def _devices_of(platform: Any) -> list[Any]:
    import pyopencl as cl

    try:
        return list(platform.get_devices())
    except cl.Error:  # a driver without a device says so by an error
        return []


class OpenCLOps(KernelOps):
    """Kernels on an OpenCL device, launched in order on one queue.

    Parameters
    ----------
    hardware
        Part of the name of the device or of its runtime, when there are several (`Intel`, `Portable`). When empty:
        the first GPU; else, of several runtimes for the CPU, the one that is fastest here by measurement (`tuning`).
    device
        Exactly this one of `opencl_devices`.

    Raises
    ------
    NoOpenCL
        When there is no such device.
    """

    name = "opencl"
    language = "opencl"

    def __init__(self, hardware: str = "", device: Any = None) -> None:
        super().__init__()
        chosen = _chosen(hardware) if device is None else device
        import pyopencl as cl
        import pyopencl.tools

        self.cl = cl
        self.device = chosen
        self.device_name, self.runtime = self.device.name.strip(), runtime_of(self.device)
        self.identity = _identity(self.device)
        self.kind = "gpu" if self.device.type & cl.device_type.GPU else "cpu"
        try:
            self.context = cl.Context([self.device])
        except cl.Error as error:  # a runtime that does not like this CPU, or its settings
            raise NoOpenCL(f"{self.runtime} cannot be opened here ({error}).") from None
        self.queue = cl.CommandQueue(self.context)
        # Memory comes from a pool: fresh pages of the system cost more than most kernels.
        self._pool = pyopencl.tools.MemoryPool(pyopencl.tools.ImmediateAllocator(self.queue))
        self._kernels: dict[tuple[Any, ...], Any] = {}
        self._launched: set[tuple[Any, tuple[int, ...]]] = set()
        self._process = os.getpid()

    def synchronize(self) -> None:
        """Wait until everything that was launched is done."""
        self.queue.finish()

    def _upload(self, array: np.ndarray) -> Any:
        data = self._allocate(array.shape, str(array.dtype))
        if array.size:
            self.cl.enqueue_copy(self.queue, data, array)
        return data

    def _write(self, buffer: Buffer, array: np.ndarray) -> None:
        self.cl.enqueue_copy(self.queue, buffer.data, array)

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> Any:
        self._check_process()
        try:
            return self._pool.allocate(4 * max(1, int(np.prod(shape, dtype=np.int64))))
        except self.cl.Error as error:
            raise K2CError(f"{self.device_name} has no memory for {shape} of {dtype} ({error}).") from None

    def _download(self, buffer: Buffer) -> np.ndarray:
        self._check_process()
        host = np.empty(buffer.shape, buffer.dtype)
        if host.size:
            self.cl.enqueue_copy(self.queue, host, buffer.data)
        return host

    def _launch(self, spec: Specification, launch: Launch) -> None:
        self._check_process()
        self.enqueue(self._kernel(spec), launch.global_size, launch.local, launch.arguments)

    def enqueue(
        self, kernel: Any, global_size: Sequence[int], local: Sequence[int], arguments: Sequence[Any]
    ) -> Any:
        """Launch a compiled kernel without checks; returns pyopencl's event."""
        raw = [value.data if isinstance(value, Buffer) else value for value in arguments]
        try:
            return self._enqueued(kernel, tuple(global_size), tuple(local), raw)
        except self.cl.Error as error:
            raise K2CError(
                f"{self.device_name} refuses a launch of {global_size} by {local}: {error}"
            ) from None

    def _enqueued(
        self, kernel: Any, global_size: tuple[int, ...], local: tuple[int, ...], raw: list[Any]
    ) -> Any:
        first = kernel, local
        if first in self._launched:
            return kernel(self.queue, global_size, local, *raw)
        # PoCL compiles a kernel for a size of groups at its first launch, and may print then.
        with caught_output() as said:
            event = kernel(self.queue, global_size, local, *raw)
            event.wait()
        self._launched.add(first)
        self._keep(f"first launch of {kernel.function_name} by {local}", "", "".join(said))
        return event

    def copy(self, source: Buffer, to: Buffer) -> None:
        """Copy a buffer into another of the same size."""
        require("to", to, self, source.shape, source.dtype)
        self.cl.enqueue_copy(
            self.queue, to.data, require("source", source, self).data, byte_count=source.nbytes
        )

    def build(self, text: str, kernel: str, options: dict[str, int], title: str, helper: str = "") -> Any:
        """Return a compiled kernel of a source text.

        Raises
        ------
        K2CError
            With the compiler's log, when it does not compile, or has no such kernel.
        """
        self._check_process()
        program = self.cl.Program(self.context, full_source(text, "opencl", helper))
        try:
            with caught_output() as said:
                built = program.build(options=define_flags(options), cache_dir=NO_CACHE)
            log = built.get_build_info(self.device, self.cl.program_build_info.LOG)
            self._keep(title, text, f"{log}\n{''.join(said)}")
            return self.cl.Kernel(built, kernel)
        except self.cl.RuntimeError as error:
            log = program.get_build_info(self.device, self.cl.program_build_info.LOG)
            raise build_error(title, text, log if log.strip() else str(error)) from None
        except self.cl.Error as error:
            raise K2CError(f"{title} has no kernel {kernel!r} ({error}).") from None

    def _kernel(self, spec: Specification) -> Any:
        options = self.options(spec)
        # A kernel object holds its arguments, so every thread needs its own.
        key = threading.get_ident(), spec.name, *define_flags(options)
        if key not in self._kernels:
            text = one_kernel(spec.source, spec.name)
            self._kernels[key] = self.build(text, spec.name, options, spec.source)
        return self._kernels[key]

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise K2CError(
                "OpenCL hangs in a process that was forked after it was opened. Start workers with "
                'multiprocessing.get_context("spawn") and open the device in each.'
            )


def _chosen(hardware: str) -> Any:
    """Return the device that a part of its name chooses, or the fastest runtime's of a CPU."""
    devices = opencl_devices()
    import pyopencl as cl

    chosen = [device for device in devices if hardware.lower() in runtime_of(device).lower()]
    if not chosen:
        names = ", ".join(map(runtime_of, devices))
        raise NoOpenCL(f"No OpenCL device has {hardware!r} in its name. Devices are: {names}.")
    if len(chosen) == 1 or hardware or chosen[0].type & cl.device_type.GPU or not tuner.is_on():
        return chosen[0]
    return min(chosen, key=_cost)


def _cost(device: Any) -> float:
    """Return how slow a device is by measurement: infinitely, when it cannot be opened or used."""
    try:
        return tuner.cost(OpenCLOps(device=device))
    except K2CError:
        return math.inf


def _identity(device: Any) -> tuple[str, ...]:
    settings = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(SETTINGS)]
    names = device.platform.version, device.name.strip(), device.driver_version
    return (*names, str(device.max_compute_units), *sorted(settings))

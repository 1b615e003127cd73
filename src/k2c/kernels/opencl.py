"""OpenCL: any device with a driver, a CPU among them."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer, require
from k2c.kernels.build import build_error, define_flags, full_source, options_of, source_of
from k2c.kernels.launch import Launch
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.specification import Specification

INSTALL = "Install a CPU device that needs no driver: pip install 'pyopencl[pocl]'."
SIMULATOR = "Oclgrind"
NO_CACHE: Any = False  # what pyopencl takes for none


class NoOpenCL(K2CError):
    """There is no OpenCL device here."""


def opencl_devices() -> list[Any]:
    """Return the OpenCL devices (pyopencl's), GPUs first; without the simulator that `debug` uses.

    Raises
    ------
    NoOpenCL
        When pyopencl is not installed, or finds no device.
    """
    try:
        import pyopencl as cl
    except ImportError:
        raise NoOpenCL(f"pyopencl is not installed. {INSTALL}") from None
    try:
        found = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    except cl.Error:  # no platform at all is an error to the loader
        found = []
    found = [device for device in found if SIMULATOR not in device.platform.name]
    if not found:
        raise NoOpenCL(f"pyopencl finds no OpenCL device. {INSTALL}")
    return sorted(found, key=lambda device: not device.type & cl.device_type.GPU)


class OpenCLOps(KernelOps):
    """Kernels on an OpenCL device, launched in order on one queue.

    Parameters
    ----------
    hardware
        Part of the device's name, when there are several; the first GPU, else the first device, when empty.

    Raises
    ------
    NoOpenCL
        When there is no such device.
    """

    name = "opencl"
    language = "opencl"

    def __init__(self, hardware: str = "") -> None:
        devices = opencl_devices()
        chosen = [device for device in devices if hardware.lower() in device.name.lower()]
        if not chosen:
            names = ", ".join(device.name.strip() for device in devices)
            raise NoOpenCL(f"No OpenCL device has {hardware!r} in its name. Devices are: {names}.")
        import pyopencl as cl
        import pyopencl.tools

        self.cl = cl
        self.device = chosen[0]
        self.device_name = self.device.name.strip()
        self.kind = "gpu" if self.device.type & cl.device_type.GPU else "cpu"
        self.context = cl.Context([self.device])
        self.queue = cl.CommandQueue(self.context, properties=cl.command_queue_properties.PROFILING_ENABLE)
        self._events: list[Any] | None = None
        # Memory comes from a pool: fresh pages of the system cost more than most kernels.
        self._pool = pyopencl.tools.MemoryPool(pyopencl.tools.ImmediateAllocator(self.queue))
        self._kernels: dict[tuple[int, str], Any] = {}
        self._process = os.getpid()

    def synchronize(self) -> None:
        """Wait until everything that was launched is done."""
        self.queue.finish()

    def _upload(self, array: np.ndarray) -> Any:
        data = self._allocate(array.shape, str(array.dtype))
        if array.size:
            self.cl.enqueue_copy(self.queue, data, array)
        return data

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
            event = kernel(self.queue, tuple(global_size), tuple(local), *raw)
        except self.cl.Error as error:
            raise K2CError(
                f"{self.device_name} refuses a launch of {global_size} by {local}: {error}"
            ) from None
        if self._events is not None:
            self._events.append(event)
        return event

    def event_seconds(self, call: Callable[[], Any]) -> float:
        """Return the seconds that the kernels of a call took, by the device's clock."""
        self._events = []
        try:
            call()
            self.queue.finish()
            return sum(event.profile.end - event.profile.start for event in self._events) * 1e-9
        finally:
            self._events = None

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
            built = program.build(options=define_flags(options), cache_dir=NO_CACHE)
            return self.cl.Kernel(built, kernel)
        except self.cl.RuntimeError as error:
            log = "\n".join(
                program.get_build_info(device, self.cl.program_build_info.LOG) for device in [self.device]
            )
            if not log.strip():
                log = str(error)
            raise build_error(title, text, log) from None
        except self.cl.Error as error:
            raise K2CError(f"{title} has no kernel {kernel!r} ({error}).") from None

    def _kernel(self, spec: Specification) -> Any:
        # A kernel object holds its arguments, so every thread needs its own.
        key = threading.get_ident(), spec.name
        if key not in self._kernels:
            options = options_of(self.kind, spec.source)
            self._kernels[key] = self.build(source_of(spec.source), spec.name, options, spec.source)
        return self._kernels[key]

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise K2CError(
                "OpenCL hangs in a process that was forked after it was opened. Start workers with "
                'multiprocessing.get_context("spawn") and open the device in each.'
            )

"""CUDA: the same kernels, compiled by NVRTC, launched by the driver on torch's tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer, require
from k2c.kernels.build import define_flags, one_kernel
from k2c.kernels.driver import driver_version, get_function, launch, load_driver, load_module
from k2c.kernels.launch import Launch
from k2c.kernels.nvrtc import compile_cuda, load_nvrtc
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.specification import Specification


class NoCUDA(K2CError):
    """There is no CUDA device here, or torch cannot use it."""


class CudaOps(KernelOps):
    """Kernels on the current NVIDIA GPU, on torch's current stream.

    Raises
    ------
    NoCUDA
        When torch cannot use a GPU; `NoDriver` or `NoNVRTC` when the driver or the compiler is missing.
    """

    name = "cuda"
    language = "cuda"
    kind = "gpu"

    def __init__(self) -> None:
        super().__init__()
        if not torch.cuda.is_available():
            raise NoCUDA("torch finds no CUDA GPU here. The device opencl runs on any machine.")
        self._driver = load_driver()
        load_nvrtc()
        torch.empty(1, device="cuda")  # makes torch's context the current one, which the driver then uses
        self.device_name = torch.cuda.get_device_name()
        self._arch = "sm_{}{}".format(*torch.cuda.get_device_capability())
        self.runtime = f"{self.device_name} (CUDA {torch.version.cuda})"
        self.identity = (self.runtime, self._arch, driver_version(self._driver))
        self._modules: list[Any] = []
        self._kernels: dict[tuple[Any, ...], Any] = {}

    def synchronize(self) -> None:
        """Wait until everything that was launched is done."""
        torch.cuda.synchronize()

    def _upload(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array.copy()).to("cuda")

    def _write(self, buffer: Buffer, array: np.ndarray) -> None:
        buffer.data.view(-1).copy_(torch.from_numpy(array).view(-1))

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> torch.Tensor:
        return torch.empty(shape or (1,), dtype=getattr(torch, dtype), device="cuda")

    def _download(self, buffer: Buffer) -> np.ndarray:
        return buffer.data.view(buffer.shape).cpu().numpy()

    def _launch(self, spec: Specification, launch_: Launch) -> None:
        self.enqueue(self._kernel(spec), launch_.global_size, launch_.local, launch_.arguments)

    def enqueue(
        self, kernel: Any, global_size: Sequence[int], local: Sequence[int], arguments: Sequence[Any]
    ) -> None:
        """Launch a compiled kernel without checks."""
        raw = [value.data.data_ptr() if isinstance(value, Buffer) else value for value in arguments]
        groups = [size // step for size, step in zip(global_size, local, strict=True)]
        launch(self._driver, kernel, groups, local, raw, torch.cuda.current_stream().cuda_stream)

    def copy(self, source: Buffer, to: Buffer) -> None:
        """Copy a buffer into another of the same size."""
        require("to", to, self, source.shape, source.dtype)
        to.data.view(-1).copy_(require("source", source, self).data.view(-1))

    def build(self, text: str, kernel: str, options: dict[str, int], title: str, helper: str = "") -> Any:
        """Return a compiled kernel of a source text.

        Raises
        ------
        K2CError
            With the compiler's log, when it does not compile, or has no such kernel.
        """
        said: list[str] = []
        code = compile_cuda(text, title, define_flags(options), self._arch, helper, said)
        self._keep(title, text, "".join(said))
        module = load_module(self._driver, code)
        self._modules.append(module)
        return get_function(self._driver, module, kernel)

    def _kernel(self, spec: Specification) -> Any:
        options = self.options(spec)
        key = spec.name, *define_flags(options)
        if key not in self._kernels:
            text = one_kernel(spec.source, spec.name)
            self._kernels[key] = self.build(text, spec.name, options, spec.source)
        return self._kernels[key]

"""The operations by launches of the kernels of `source/`: shapes in, launches out."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from k2c.kernels import tuner
from k2c.kernels.buffers import Buffer, checked_array, require
from k2c.kernels.build import shapes_of
from k2c.kernels.kernel_device import KernelDevice
from k2c.kernels.launch import Launch, check_launch
from k2c.kernels.specification import Specification
from k2c.kernels.student import StudentKernel
from k2c.kernels.table import specification

Recorded = tuple[Specification, Launch]
LANES = 16  # a vector of matmul_registers


class KernelOps(KernelDevice):
    """The operations on a device that runs kernels."""

    _recording: list[Recorded] | None = None

    @abstractmethod
    def _launch(self, spec: Specification, launch: Launch) -> None:
        """Start a checked launch that is not empty."""

    def compile(self, source: str, name: str = "", options: dict[str, int] | None = None) -> StudentKernel:
        """Compile a kernel of one's own, with every array access checked; see `StudentKernel`."""
        return StudentKernel(self, source, name, options)

    def run(
        self,
        name: str,
        global_size: int | Sequence[int] | None,
        *args: Any,
        local: int | Sequence[int] | None = None,
    ) -> None:
        """Launch a kernel; see `Ops.run`."""
        spec = specification(name)
        launch = check_launch(spec, self, self.options(spec), global_size, args, local, self.kind == "cpu")
        if launch.is_empty:
            return
        self._launch(spec, launch)
        if self._recording is not None:
            self._recording.append((spec, launch))

    @contextmanager
    def recorded(self) -> Iterator[list[Recorded]]:
        """Run what the block launches, and yield the list that it is written down in, for `replay`."""
        before, self._recording = self._recording, []
        try:
            yield self._recording
        finally:
            self._recording = before

    def replay(self, launches: Sequence[Recorded]) -> None:
        """Start recorded launches again, on the same buffers and without the checks, which they have passed."""
        for spec, launch in launches:
            self._launch(spec, launch)

    @abstractmethod
    def _write(self, buffer: Buffer, array: np.ndarray) -> None:
        """Copy a host array into a buffer of its size."""

    def write(self, array: Any, to: Buffer) -> None:
        """Copy a NumPy array or torch tensor (float32 or int32, contiguous) into a buffer of its shape."""
        host = checked_array(array)
        self._write(require("to", to, self, host.shape, str(host.dtype)), host)

    def options(self, spec: Specification) -> dict[str, int]:
        """Return the compile-time numbers of a kernel on this device: those that it is fastest with."""
        shapes = shapes_of(self.kind, spec.source)
        if len(shapes) == 1:
            return shapes[0]
        if self._shapes is None:
            self._shapes = tuner.tuned_shapes(self)
        return self._shapes.get(spec.source, shapes[0])

    def _start(self, name: str, *args: Any) -> None:
        """Launch a kernel with as many work-items as its specification asks for."""
        self.run(name, None, *args)

    @abstractmethod
    def copy(self, source: Buffer, to: Buffer) -> None:
        """Copy a buffer into another of the same size on this device, by the device's own means."""

    def _binary(self, name: str, a: Buffer, b: Buffer, out: Buffer) -> Buffer:
        self._start(self._long(name, a), a, b, out, a.size)
        return out

    def _unary(self, name: str, x: Buffer, out: Buffer) -> Buffer:
        self._start(self._long(name, x), x, out, x.size)
        return out

    def _long(self, name: str, x: Buffer) -> str:
        long = specification(f"{name}_long") if name in ("vector_add", "relu") else None
        return long.name if long and x.size >= self.options(long)["LONG"] else name

    def _saxpy(self, factor: float, x: Buffer, y: Buffer) -> Buffer:
        self._start("saxpy", x, y, factor, x.size)
        return y

    def _sum(self, x: Buffer) -> float:
        spec = specification("sum")
        group = spec.local[0]
        groups = -(-spec.global_size({"n": x.size})[0] // group)
        partial, total = self.empty(groups), self.empty(1)
        self._start("sum", x, partial, x.size)
        self.run("sum", group, partial, total, groups)
        return float(self.get(total)[0])

    def _row_sum(self, x: Buffer) -> Buffer:
        rows, columns = x.shape
        total = self.empty(columns)
        self._start("sum_chunks", x, total, rows, columns)
        return total

    def _softmax(self, x: Buffer) -> Buffer:
        out = self.empty(x.shape)
        if x.size:
            self._start("softmax", x, out, *x.shape)
        return out

    def _cross_entropy(self, logits: Buffer, targets: Buffer) -> tuple[Buffer, Buffer]:
        losses, gradient = self.empty(logits.shape[0]), self.empty(logits.shape)
        self._start("cross_entropy", logits, targets, losses, gradient, *logits.shape)
        return losses, gradient

    def _matmul(
        self, a: Buffer, b: Buffer, variant: str, transpose_a: bool, transpose_b: bool, out: Buffer
    ) -> Buffer:
        m, n = out.shape
        k = a.shape[0 if transpose_a else 1]
        a = self._transposed(a) if transpose_a else a
        if variant == "registers":
            columns = LANES * self.options(specification("matmul_registers"))["WIDE"]
            panels = self.packed(b, n, k, not transpose_b, columns)
            self._start("matmul_registers", a, panels, out, m, n, k)
        else:
            b = self._transposed(b) if transpose_b else b
            self._start(f"matmul_{variant}", a, b, out, m, n, k)
        return out

    def packed(self, x: Buffer, count: int, length: int, columns: bool, width: int) -> Buffer:
        """Pack the rows of x, or its columns, into panels of `width`."""
        packed = self.empty(-(-count // width) * width * length)
        stride, step = (1, count) if columns else (length, 1)
        if packed.size:
            self._start("pack", x, packed, count, length, stride, step, width)
        return packed

    def _transposed(self, x: Buffer) -> Buffer:
        out = self.empty(x.shape[::-1])
        self._start("transpose", x, out, *x.shape)
        return out

    def _add_bias(self, x: Buffer, bias: Buffer) -> Buffer:
        self._start("add_bias", x, bias, *x.shape)
        return x

    def _conv2d(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str) -> Buffer:
        shape = self._conv_shapes(x, weight)
        y = self.empty(shape)
        sizes = (*x.shape, weight.shape[0], *weight.shape[2:])
        options = self.options(specification("conv2d_tuned"))
        fits = (
            weight.shape[2:] == (options["SIDE"],) * 2 and shape[2] >= 2 * options["PAIRS"] and shape[3] >= 8
        )
        self._start(
            "conv2d_tuned" if variant == "tuned" and fits else "conv2d_textbook", x, weight, bias, y, *sizes
        )
        return y

    def _conv2d_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str, need_dx: bool
    ) -> tuple[Buffer | None, Buffer, Buffer]:
        dx = self._conv2d_backward_input(x, weight, dy, variant) if need_dx else None
        n, filters, rows, columns = dy.shape
        chunks = self.chunks(n)
        sums = self.empty((chunks, filters))
        self._start("channel_sum", dy, sums, n, filters, rows * columns, chunks)
        return dx, self._conv2d_backward_weight(x, weight, dy, variant), self._row_sum(sums)

    def _conv2d_backward_input(self, x: Buffer, weight: Buffer, dy: Buffer, variant: str) -> Buffer:
        filters, channels, tall, wide = weight.shape
        if variant == "textbook":
            dx = self.empty(x.shape)
            self._start("conv2d_backward_input", dy, weight, dx, *x.shape, filters, tall, wide)
            return dx
        n, _, rows, columns = dy.shape
        padded = self.empty((n, filters, rows + 2 * (tall - 1), columns + 2 * (wide - 1)))
        self._start("pad", dy, padded, n * filters, rows, columns, tall - 1, wide - 1)
        turned = self.empty((channels, filters, tall, wide))
        self._start("flip", weight, turned, filters, channels, tall * wide)
        return self._conv2d(padded, turned, self._zeros(channels), variant)

    def _conv2d_backward_weight(self, x: Buffer, weight: Buffer, dy: Buffer, variant: str) -> Buffer:
        dw = self.empty(weight.shape)
        sizes = (*x.shape, weight.shape[0], *weight.shape[2:])
        if variant == "textbook" or dy.shape[2] % 2 or dy.shape[3] % 8:
            self._start("conv2d_backward_weight", x, dy, dw, *sizes)
            return dw
        chunks = self.chunks(x.shape[0])
        partial = self.empty((chunks, weight.size))
        self._start("conv2d_backward_weight_tuned", x, dy, partial, *sizes, chunks)
        self._start("sum_chunks", partial, dw, chunks, weight.size)
        return dw

    def chunks(self, images: int) -> int:
        """Return into how many parts sums over images are divided."""
        # Few chunks keep a CPU's cores busy; a GPU needs as many work-items as it can get.
        return max(1, min(images, 4 if self.kind == "cpu" else 64))

    def _zeros(self, shape: int | tuple[int, ...]) -> Buffer:
        out = self.empty(shape)
        self._start("fill", out, 0.0, out.size)
        return out

    def _maxpool2(self, x: Buffer) -> Buffer:
        n, channels, height, width = x.shape
        y = self.empty((n, channels, height // 2, width // 2))
        self._start("maxpool2", x, y, n * channels, height, width)
        return y

    def _maxpool2_backward(self, x: Buffer, dy: Buffer) -> Buffer:
        n, channels, height, width = x.shape
        dx = self._zeros(x.shape) if height % 2 or width % 2 else self.empty(x.shape)
        self._start("maxpool2_backward", x, dy, dx, n * channels, height, width)
        return dx

    def _sgd(
        self,
        parameter: Buffer,
        velocity: Buffer,
        gradient: Buffer,
        rate: float,
        momentum: float,
        decay: float,
    ) -> None:
        self._start("sgd", parameter, velocity, gradient, rate, momentum, decay, parameter.size)

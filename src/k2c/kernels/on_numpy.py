"""The operations in NumPy: a reference, and the way on a machine where no kernel runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from k2c.errors import K2CError
from k2c.kernels import references
from k2c.kernels.base import Ops
from k2c.kernels.buffers import Buffer
from k2c.kernels.launch import check_launch
from k2c.kernels.table import SPECIFICATIONS, specification


class NumpyOps(Ops):
    """Every operation in NumPy, float32. `run` computes a kernel's reference."""

    name = "numpy"
    device_name = "NumPy"

    def synchronize(self) -> None:
        """Do nothing: NumPy has finished when it returns."""

    def _upload(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.empty(shape, dtype)

    def _download(self, buffer: Buffer) -> np.ndarray:
        return buffer.data.reshape(buffer.shape).copy()

    def run(
        self,
        name: str,
        global_size: int | Sequence[int] | None,
        *args: Any,
        local: int | Sequence[int] | None = None,
    ) -> None:
        """Compute what a kernel would, in NumPy; see `Ops.run`."""
        spec = specification(name)
        if spec.reference is None:
            those = ", ".join(name for name, spec in SPECIFICATIONS.items() if spec.reference)
            raise K2CError(
                f"NumPy stands in for {those}, and not for {name}. Open a device that runs kernels."
            )
        launch = check_launch(spec, self, {}, global_size, args, local)
        values = {
            argument.name: value.data.ravel() if argument.is_buffer else value
            for argument, value in zip(spec.arguments, launch.arguments, strict=True)
        }
        results = spec.reference(**values, global_size=launch.global_size[0], local=launch.local[0])
        for result, array in results.items():
            values[result][: array.size] = array

    def _wrap(self, array: np.ndarray) -> Buffer:
        data = np.ascontiguousarray(array, np.float32)
        return Buffer(data.shape, "float32", self.name, data, self)

    def _unary(self, name: str, x: Buffer, out: Buffer) -> Buffer:
        a = _view(x)
        _view(out)[...] = np.tanh(a) if name == "tanh_forward" else np.where(a > 0, a, np.float32(0))
        return out

    def _binary(self, name: str, a: Buffer, b: Buffer, out: Buffer) -> Buffer:
        x, y = _view(a), _view(b)
        _view(out)[...] = x + y if name == "vector_add" else y * (1 - x * x)
        return out

    def _saxpy(self, factor: float, x: Buffer, y: Buffer) -> Buffer:
        _view(y)[...] += np.float32(factor) * _view(x)
        return y

    def _sum(self, x: Buffer) -> float:
        return float(_view(x).sum())

    def _row_sum(self, x: Buffer) -> Buffer:
        return self._wrap(_view(x).sum(0))

    def _softmax(self, x: Buffer) -> Buffer:
        out = references.softmax(_view(x), *x.shape)["out"]
        return self._wrap(out.reshape(x.shape))

    def _cross_entropy(self, logits: Buffer, targets: Buffer) -> tuple[Buffer, Buffer]:
        rows, columns = logits.shape
        shifted = _view(logits) - _view(logits).max(1, keepdims=True, initial=-np.inf)
        wanted = np.arange(columns) == _view(targets)[:, None]
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        losses = np.where(wanted.any(1), -(np.where(wanted, logs, 0).sum(1)), np.nan)
        return self._wrap(losses), self._wrap((np.exp(logs) - wanted) / max(1, rows))

    def _matmul(
        self, a: Buffer, b: Buffer, variant: str, transpose_a: bool, transpose_b: bool, out: Buffer
    ) -> Buffer:
        x, y = _view(a), _view(b)
        _view(out)[...] = (x.T if transpose_a else x) @ (y.T if transpose_b else y)
        return out

    def _add_bias(self, x: Buffer, bias: Buffer) -> Buffer:
        _view(x)[...] += _view(bias)
        return x

    def _conv2d(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str) -> Buffer:
        return self._wrap(references.convolve(_view(x), _view(weight), _view(bias)))

    def _conv2d_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str, need_dx: bool
    ) -> tuple[Buffer | None, Buffer, Buffer]:
        images, filters, gradient = _view(x), _view(weight), _view(dy)
        tall, wide = weight.shape[2:]
        seen = sliding_window_view(images, (tall, wide), (2, 3))
        dw = np.einsum("nchwij,nfhw->fcij", seen, gradient, optimize=True)
        dx = None
        if need_dx:
            padded = np.pad(gradient, ((0, 0), (0, 0), (tall - 1,) * 2, (wide - 1,) * 2))
            turned = filters[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
            dx = self._wrap(references.convolve(padded, turned, np.zeros(len(turned), np.float32)))
        return dx, self._wrap(dw), self._wrap(gradient.sum((0, 2, 3)))

    def _maxpool2(self, x: Buffer) -> Buffer:
        return self._wrap(references.windows(_view(x)).max((-3, -1), initial=-np.inf))

    def _maxpool2_backward(self, x: Buffer, dy: Buffer) -> Buffer:
        dx = np.zeros(x.shape, np.float32)
        # (..., H/2, W/2, 4): the window's pixels in reading order, of which argmax takes the first.
        pixels = np.moveaxis(references.windows(_view(x)), -3, -2)
        flat = pixels.reshape(*pixels.shape[:-2], 4)
        first = np.arange(4) == flat.argmax(-1)[..., None]
        spread = (first * _view(dy)[..., None]).reshape(pixels.shape)
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        dx[..., :height, :width] = np.moveaxis(spread, -2, -3).reshape(*x.shape[:2], height, width)
        return self._wrap(dx)

    def _sgd(
        self,
        parameter: Buffer,
        velocity: Buffer,
        gradient: Buffer,
        rate: float,
        momentum: float,
        decay: float,
    ) -> None:
        v, p = _view(velocity), _view(parameter)
        v[...] = np.float32(momentum) * v + _view(gradient) + np.float32(decay) * p
        p[...] -= np.float32(rate) * v


def _view(buffer: Buffer) -> np.ndarray:
    return buffer.data.reshape(buffer.shape)

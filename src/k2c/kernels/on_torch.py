"""The operations in torch: the reference for correctness and for time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.buffers import Buffer


class TorchOps(Ops):
    """Every operation by torch, on the CPU."""

    name = "torch"
    device_name = f"torch {torch.__version__}"

    def synchronize(self) -> None:
        """Do nothing: torch has finished on a CPU when it returns."""

    def _upload(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array.copy())

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        return torch.empty(shape, dtype=getattr(torch, dtype))

    def _download(self, buffer: Buffer) -> np.ndarray:
        return _view(buffer).numpy().copy()

    def run(
        self,
        name: str,
        global_size: int | Sequence[int] | None,
        *args: Any,
        local: int | Sequence[int] | None = None,
    ) -> None:
        """Refuse: torch has operations, not kernels of ours."""
        raise K2CError(f"torch is a reference and runs no {name}. Open opencl, cuda or numpy for run().")

    def _wrap(self, tensor: Tensor) -> Buffer:
        return Buffer(tuple(tensor.shape), "float32", self.name, tensor.contiguous(), self)

    def _unary(self, name: str, x: Buffer, out: Buffer) -> Buffer:
        if name == "tanh_forward":
            torch.tanh(_view(x), out=_view(out))
        else:
            torch.clamp_min(_view(x), 0.0, out=_view(out))
        return out

    def _binary(self, name: str, a: Buffer, b: Buffer, out: Buffer) -> Buffer:
        if name == "vector_add":
            torch.add(_view(a), _view(b), out=_view(out))
        else:
            torch.mul(_view(b), 1 - _view(a) ** 2, out=_view(out))
        return out

    def _saxpy(self, factor: float, x: Buffer, y: Buffer) -> Buffer:
        _view(y).add_(_view(x), alpha=factor)
        return y

    def _sum(self, x: Buffer) -> float:
        return float(_view(x).sum())

    def _row_sum(self, x: Buffer) -> Buffer:
        return self._wrap(_view(x).sum(0))

    def _softmax(self, x: Buffer) -> Buffer:
        return self._wrap(torch.softmax(_view(x), 1))

    def _cross_entropy(self, logits: Buffer, targets: Buffer) -> tuple[Buffer, Buffer]:
        z, wanted = _view(logits), _view(targets).long()
        losses = functional.cross_entropy(z, wanted, reduction="none")
        gradient = (torch.softmax(z, 1) - functional.one_hot(wanted, z.shape[1])) / max(1, z.shape[0])
        return self._wrap(losses), self._wrap(gradient)

    def _matmul(
        self, a: Buffer, b: Buffer, variant: str, transpose_a: bool, transpose_b: bool, out: Buffer
    ) -> Buffer:
        x, y = _view(a), _view(b)
        torch.mm(x.T if transpose_a else x, y.T if transpose_b else y, out=_view(out))
        return out

    def _add_bias(self, x: Buffer, bias: Buffer) -> Buffer:
        _view(x).add_(_view(bias))
        return x

    def _conv2d(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str) -> Buffer:
        return self._wrap(functional.conv2d(_view(x), _view(weight), _view(bias)))

    def _conv2d_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str, need_dx: bool
    ) -> tuple[Buffer | None, Buffer, Buffer]:
        dx, dw, db = torch.ops.aten.convolution_backward(
            _view(dy), _view(x), _view(weight), [weight.shape[0]], [1, 1], [0, 0], [1, 1], False, [0, 0], 1,
            [need_dx, True, True],
        )  # fmt: skip
        return self._wrap(dx) if need_dx else None, self._wrap(dw), self._wrap(db)

    def _maxpool2(self, x: Buffer) -> Buffer:
        n, channels, height, width = x.shape
        if min(height, width) < 2:  # torch refuses an image without a window
            return self.empty((n, channels, height // 2, width // 2))
        return self._wrap(functional.max_pool2d(_view(x), 2))

    def _maxpool2_backward(self, x: Buffer, dy: Buffer) -> Buffer:
        if not dy.size:
            return self._wrap(torch.zeros(x.shape))
        images = _view(x).detach().requires_grad_()
        with torch.enable_grad():
            functional.max_pool2d(images, 2).backward(_view(dy))
        assert images.grad is not None
        return self._wrap(images.grad)

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
        v.mul_(momentum).add_(_view(gradient)).add_(p, alpha=decay)
        p.sub_(v, alpha=rate)


def _view(buffer: Buffer) -> Tensor:
    return buffer.data.view(buffer.shape)

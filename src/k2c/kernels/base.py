"""What every device offers: memory, launches and the operations of a small network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer, checked_array, checked_shape, require
from k2c.kernels.build_log import BuildMessage

MATMULS = ("textbook", "tiled", "registers")
CONVS = ("textbook", "tuned")


class Ops(ABC):
    """Operations on the buffers of one device; what `kernels.open` returns.

    All numbers are float32, but class numbers, which are int32. An operation returns a new buffer unless it is
    given `out`. References (`numpy`, `torch`) ignore `variant`. Errors are `K2CError`: for a buffer that is not
    on this device, or has a wrong dtype or shape.

    Attributes
    ----------
    name
        `opencl`, `cuda`, `numpy` or `torch`.
    device_name
        What the hardware calls itself.
    build_log
        What compilers and drivers said while kernels were built on this device, the latest 500 messages: each
        has a `title`, the `source`, the `text`, and the `warnings` about lines of the source. Empty on references.
    """

    name: str
    device_name: str
    build_log: Sequence[BuildMessage] = ()

    # Memory

    @abstractmethod
    def _upload(self, array: np.ndarray) -> Any: ...

    @abstractmethod
    def _allocate(self, shape: tuple[int, ...], dtype: str) -> Any: ...

    @abstractmethod
    def _download(self, buffer: Buffer) -> np.ndarray: ...

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything that was launched is done."""

    @abstractmethod
    def run(
        self,
        name: str,
        global_size: int | Sequence[int] | None,
        *args: Any,
        local: int | Sequence[int] | None = None,
    ) -> None:
        """Launch a kernel of `source/`, after its arguments were checked against its specification.

        Parameters
        ----------
        name
            The kernel's name.
        global_size
            The number of work-items along each axis, rounded up here to whole work-groups. None: those of
            the specification.
        args
            Its arguments in order: buffers, and Python or NumPy numbers.
        local
            The size of a work-group; the specification's when not given.
        """

    def compile(self, source: str, name: str = "", options: dict[str, int] | None = None) -> Any:
        """Compile a kernel of one's own; only on devices that run kernels."""
        raise K2CError(
            f"{self.name} is a reference and runs no kernels. Open a device that does: opencl or cuda."
        )

    def put(self, array: Any) -> Buffer:
        """Copy a NumPy array or torch tensor (float32 or int32, contiguous) to the device."""
        host = checked_array(array)
        return Buffer(host.shape, str(host.dtype), self.name, self._upload(host), self)

    def empty(self, shape: int | Sequence[int], dtype: str = "float32") -> Buffer:
        """Return memory on the device, with whatever it holds."""
        sizes = checked_shape(shape)
        return Buffer(sizes, dtype, self.name, self._allocate(sizes, dtype), self)

    def get(self, buffer: Buffer) -> np.ndarray:
        """Copy a buffer to the host."""
        return self._download(require("The buffer", buffer, self, dtype=getattr(buffer, "dtype", "float32")))

    def _out(self, out: Buffer | None, shape: tuple[int, ...]) -> Buffer:
        return self.empty(shape) if out is None else require("out", out, self, shape)

    # One element per work-item

    def vector_add(self, a: Buffer, b: Buffer, out: Buffer | None = None) -> Buffer:
        """Return a + b, both of any one shape."""
        require("a", a, self)
        require("b", b, self, a.shape)
        return self._binary("vector_add", a, b, self._out(out, a.shape))

    def saxpy(self, factor: float, x: Buffer, y: Buffer) -> Buffer:
        """Add factor * x to y, in place, and return y."""
        require("x", x, self)
        return self._saxpy(float(factor), x, require("y", y, self, x.shape))

    def relu(self, x: Buffer, out: Buffer | None = None) -> Buffer:
        """Return max(x, 0); 0 also for NaN."""
        return self._unary("relu", require("x", x, self), self._out(out, x.shape))

    def tanh(self, x: Buffer, out: Buffer | None = None) -> Buffer:
        """Return tanh(x)."""
        return self._unary("tanh_forward", require("x", x, self), self._out(out, x.shape))

    def tanh_backward(self, y: Buffer, dy: Buffer) -> Buffer:
        """Return the gradient with respect to x, from y = tanh(x) and dy."""
        require("y", y, self)
        return self._binary("tanh_backward", y, require("dy", dy, self, y.shape), self.empty(y.shape))

    # Sums and losses

    def sum(self, x: Buffer) -> float:
        """Return the sum of all elements."""
        return self._sum(require("x", x, self)) if x.size else 0.0

    def softmax(self, x: Buffer) -> Buffer:
        """Return the softmax of each row of x (N, M)."""
        return self._softmax(require("x", x, self, (None, None)))

    def cross_entropy(self, logits: Buffer, targets: Buffer) -> tuple[Buffer, Buffer]:
        """Return each row's loss (N,), and the gradient (N, M) of their mean with respect to the logits.

        `targets` are class numbers, int32 (N,), from 0 to M - 1; others give NaN losses or none.
        """
        require("logits", logits, self, (None, None))
        return self._cross_entropy(logits, require("targets", targets, self, logits.shape[:1], "int32"))

    # Linear algebra

    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        variant: str = "registers",
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer | None = None,
    ) -> Buffer:
        """Return the product (m, n) of a (m, k) and b (k, n); of (k, m) or (n, k) where transposed."""
        _one_of(variant, MATMULS)
        require("a", a, self, (None, None))
        k, m = a.shape if transpose_a else a.shape[::-1]
        require("b", b, self, (None, k) if transpose_b else (k, None))
        n = b.shape[0 if transpose_b else 1]
        return self._matmul(a, b, variant, transpose_a, transpose_b, self._out(out, (m, n)))

    def linear(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str = "registers") -> Buffer:
        """Return x (N, in) times the transpose of weight (out, in), plus bias (out,)."""
        y = self.matmul(x, weight, variant, transpose_b=True)
        return self._add_bias(y, require("bias", bias, self, weight.shape[:1]))

    def linear_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str = "registers"
    ) -> tuple[Buffer, Buffer, Buffer]:
        """Return the gradients with respect to x, weight and bias."""
        dw = self.matmul(dy, x, variant, transpose_a=True)
        return self.matmul(dy, weight, variant), dw, self._row_sum(dy)

    # Images

    def conv2d(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str = "tuned") -> Buffer:
        """Return y (N, F, H-KH+1, W-KW+1) of x (N, C, H, W), weight (F, C, KH, KW) and bias (F,).

        `tuned` computes tiles of y, for LeNet's filters of 5 x 5. For other filters, for a y of fewer than 8
        columns, or of fewer than 4 rows (2 on a GPU), the textbook's kernel runs instead, and nothing says so:
        right, and slower.
        """
        _one_of(variant, CONVS)
        require("bias", bias, self, self._conv_shapes(x, weight)[1:2])
        return self._conv2d(x, weight, bias, variant)

    def conv2d_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str = "tuned", need_dx: bool = True
    ) -> tuple[Buffer | None, Buffer, Buffer]:
        """Return the gradients with respect to x (or None), weight and bias.

        As in `conv2d`, the textbook's kernels run instead of the tuned ones, and nothing says so, where those do
        not fit: for the gradient of x when the filters are not 5 x 5 or x has fewer than 8 columns or than 4 rows
        (2 on a GPU), for that of weight when dy has an odd number of rows, or columns that are no multiple of 8.
        """
        _one_of(variant, CONVS)
        require("dy", dy, self, self._conv_shapes(x, weight))
        return self._conv2d_backward(x, weight, dy, variant, need_dx)

    def maxpool2(self, x: Buffer) -> Buffer:
        """Return the largest of every 2x2 window, (N, C, H // 2, W // 2), of x (N, C, H, W)."""
        return self._maxpool2(require("x", x, self, (None, None, None, None)))

    def maxpool2_backward(self, x: Buffer, dy: Buffer) -> Buffer:
        """Return the gradient with respect to x; of equal pixels the first gets it."""
        n, c, height, width = require("x", x, self, (None, None, None, None)).shape
        return self._maxpool2_backward(x, require("dy", dy, self, (n, c, height // 2, width // 2)))

    # Learning

    def sgd(
        self,
        parameter: Buffer,
        velocity: Buffer,
        gradient: Buffer,
        learning_rate: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        """Take a step of gradient descent in place, as torch.optim.SGD: v = momentum v + g + decay p; p -= lr v."""
        require("parameter", parameter, self)
        require("velocity", velocity, self, parameter.shape)
        require("gradient", gradient, self, parameter.shape)
        self._sgd(parameter, velocity, gradient, float(learning_rate), float(momentum), float(weight_decay))

    def _conv_shapes(self, x: Buffer, weight: Buffer) -> tuple[int, ...]:
        n, channels, height, width = require("x", x, self, (None, None, None, None)).shape
        filters, _, tall, wide = require("weight", weight, self, (None, channels, None, None)).shape
        if not (1 <= tall <= height and 1 <= wide <= width):
            raise K2CError(f"A kernel of {tall}x{wide} does not fit into images of {height}x{width}.")
        return n, filters, height - tall + 1, width - wide + 1

    @abstractmethod
    def _binary(self, name: str, a: Buffer, b: Buffer, out: Buffer) -> Buffer: ...

    @abstractmethod
    def _unary(self, name: str, x: Buffer, out: Buffer) -> Buffer: ...

    @abstractmethod
    def _saxpy(self, factor: float, x: Buffer, y: Buffer) -> Buffer: ...

    @abstractmethod
    def _sum(self, x: Buffer) -> float: ...

    @abstractmethod
    def _row_sum(self, x: Buffer) -> Buffer: ...

    @abstractmethod
    def _softmax(self, x: Buffer) -> Buffer: ...

    @abstractmethod
    def _cross_entropy(self, logits: Buffer, targets: Buffer) -> tuple[Buffer, Buffer]: ...

    @abstractmethod
    def _matmul(
        self, a: Buffer, b: Buffer, variant: str, transpose_a: bool, transpose_b: bool, out: Buffer
    ) -> Buffer: ...

    @abstractmethod
    def _add_bias(self, x: Buffer, bias: Buffer) -> Buffer: ...

    @abstractmethod
    def _conv2d(self, x: Buffer, weight: Buffer, bias: Buffer, variant: str) -> Buffer: ...

    @abstractmethod
    def _conv2d_backward(
        self, x: Buffer, weight: Buffer, dy: Buffer, variant: str, need_dx: bool
    ) -> tuple[Buffer | None, Buffer, Buffer]: ...

    @abstractmethod
    def _maxpool2(self, x: Buffer) -> Buffer: ...

    @abstractmethod
    def _maxpool2_backward(self, x: Buffer, dy: Buffer) -> Buffer: ...

    @abstractmethod
    def _sgd(
        self,
        parameter: Buffer,
        velocity: Buffer,
        gradient: Buffer,
        rate: float,
        momentum: float,
        decay: float,
    ) -> None: ...

    def __repr__(self) -> str:
        return f"<kernels on {self.name}: {self.device_name}>"


def _one_of(variant: str, allowed: Sequence[str]) -> None:
    if variant not in allowed:
        raise K2CError(f"There is no variant {variant!r}. Variants are {', '.join(allowed)}.")

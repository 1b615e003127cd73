"""Arrays on a device, and the checks before each use of one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from k2c.errors import K2CError

DTYPES = ("float32", "int32")
MOST_ELEMENTS = 2**31 - 1  # the kernels are told sizes as int32


@dataclass(frozen=True, eq=False)
class Buffer:
    """An array that lies on a device: contiguous, row-major.

    Attributes
    ----------
    shape
        Its shape.
    dtype
        `float32` or `int32`.
    device
        The name of the device that made it.
    data
        What the device knows it as: an OpenCL buffer, a torch tensor or a NumPy array.
    owner
        The object (what `kernels.open` returned) that made it; no other may use it.
    """

    shape: tuple[int, ...]
    dtype: str
    device: str
    data: Any
    owner: Any

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return 4 * self.size

    def reshape(self, *shape: int) -> "Buffer":
        """Return the same memory under another shape with as many elements.

        Raises
        ------
        K2CError
            When the number of elements differs.
        """
        if math.prod(shape) != self.size:
            raise K2CError(f"{self} has {self.size} elements and cannot become {shape}.")
        return Buffer(tuple(shape), self.dtype, self.device, self.data, self.owner)

    def __repr__(self) -> str:
        return f"Buffer({self.dtype} {self.shape} on {self.device})"


def checked_array(array: Any) -> np.ndarray:
    """Return a host array as NumPy knows it, when a kernel can use it as it is.

    Parameters
    ----------
    array
        NumPy array or torch tensor, float32 or int32, contiguous.

    Raises
    ------
    K2CError
        For another dtype, for gaps between elements, and for a tensor on another device.
    """
    if hasattr(array, "detach"):
        if array.device.type != "cpu":
            raise K2CError(
                f"put() copies from the host, and the tensor is on {array.device}. Call .cpu() first."
            )
        if not array.is_contiguous():
            raise K2CError(
                f"The tensor of shape {tuple(array.shape)} is not contiguous: its elements do not lie one after "
                "another. Call .contiguous() first."
            )
        array = array.detach().numpy()
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise K2CError(
            f"put() takes a NumPy array or a torch tensor, and got a {kind}. Use np.float32(...) on it."
        )
    if str(array.dtype) not in DTYPES:
        raise K2CError(
            f"Kernels compute with {' and '.join(DTYPES)}, and the array is {array.dtype}. "
            "Convert it: array.astype(np.float32)."
        )
    if not array.flags.c_contiguous:
        raise K2CError(
            f"The array of shape {array.shape} is not contiguous: its elements do not lie one after another. "
            "Copy it: np.ascontiguousarray(array)."
        )
    return array


def checked_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return a shape as a tuple of ints.

    Raises
    ------
    K2CError
        For a negative size, or more elements than an int32 counts.
    """
    sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    sizes = tuple(int(size) for size in sizes)
    if any(size < 0 for size in sizes) or math.prod(sizes) > MOST_ELEMENTS:
        raise K2CError(f"A shape has sizes of 0 or more and at most {MOST_ELEMENTS} elements; got {sizes}.")
    return sizes


def require(
    what: str, buffer: Any, owner: Any, shape: tuple[int | None, ...] | None = None, dtype: str = "float32"
) -> Buffer:
    """Return `buffer` when it is one of this owner with this dtype and shape (`None`: any size).

    Raises
    ------
    K2CError
        When it is not.
    """
    if not isinstance(buffer, Buffer):
        kind = type(buffer).__name__
        raise K2CError(f"{what} is a {kind} on the host. Copy it to the device first: ops.put(array).")
    if buffer.owner is not owner:
        raise K2CError(
            f"{what} is on {buffer.device}, made by another kernels.open(); this is {owner.name}. "
            "Copy it over: ops.put(other.get(buffer))."
        )
    if buffer.dtype != dtype:
        raise K2CError(f"{what} is {buffer.dtype}, and has to be {dtype}.")
    if shape is not None and not _fits(buffer.shape, shape):
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
        raise K2CError(f"{what} has the shape {buffer.shape}, and has to have {wanted}.")
    return buffer


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))

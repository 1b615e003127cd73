"""The kernels once more in NumPy, as the specification to check against. Float64 in, float64 out."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Arrays = dict[str, np.ndarray]


def vector_add(a: np.ndarray, b: np.ndarray, n: int, **_: Any) -> Arrays:
    """Add."""
    return {"out": a[:n] + b[:n]}


def saxpy(x: np.ndarray, y: np.ndarray, factor: float, n: int, **_: Any) -> Arrays:
    """Add a multiple."""
    return {"y": factor * x[:n] + y[:n]}


def transpose(x: np.ndarray, rows: int, columns: int, **_: Any) -> Arrays:
    """Turn rows into columns."""
    return {"out": x[: rows * columns].reshape(rows, columns).T.ravel()}


def relu(x: np.ndarray, n: int, **_: Any) -> Arrays:
    """Keep what is positive."""
    return {"out": np.maximum(x[:n], 0)}


def tanh_forward(x: np.ndarray, n: int, **_: Any) -> Arrays:
    """Squash."""
    return {"out": np.tanh(x[:n])}


def tanh_backward(y: np.ndarray, dy: np.ndarray, n: int, **_: Any) -> Arrays:
    """Differentiate tanh."""
    return {"dx": dy[:n] * (1 - y[:n] ** 2)}


def sum_of_groups(x: np.ndarray, n: int, global_size: int, local: int, **_: Any) -> Arrays:
    """Add up what each work-group adds up: element i belongs to work-item i modulo the global size."""
    item = np.arange(n) % global_size
    return {"partial": np.bincount(item // local, weights=x[:n], minlength=global_size // local)}


def softmax(x: np.ndarray, rows: int, columns: int, **_: Any) -> Arrays:
    """Make each row a probability distribution."""
    table = x.reshape(rows, columns)
    if not table.size:
        return {"out": table.ravel()}
    e = np.exp(table - table.max(1, keepdims=True))
    return {"out": (e / e.sum(1, keepdims=True)).ravel()}


def matmul(a: np.ndarray, b: np.ndarray, m: int, n: int, k: int, **_: Any) -> Arrays:
    """Multiply."""
    return {"c": (a.reshape(m, k) @ b.reshape(k, n)).ravel()}


def conv2d(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, **sizes: int) -> Arrays:
    """Convolve."""
    images = x.reshape(sizes["n"], sizes["channels"], sizes["height"], sizes["width"])
    shape = (sizes["filters"], sizes["channels"], sizes["kernel_height"], sizes["kernel_width"])
    return {"y": convolve(images, weight.reshape(shape), bias).ravel()}


def maxpool2(x: np.ndarray, planes: int, height: int, width: int, **_: Any) -> Arrays:
    """Take the largest of every window."""
    return {"y": windows(x.reshape(planes, height, width)).max((-3, -1), initial=-np.inf).ravel()}


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the convolution (N, F, H', W') of x (N, C, H, W) with weight (F, C, KH, KW)."""
    seen = sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("nchwij,fcij->nfhw", seen, weight, optimize=True) + bias[:, None, None]


def windows(x: np.ndarray) -> np.ndarray:
    """Return the 2x2 windows (..., H/2, 2, W/2, 2) of x (..., H, W)."""
    *planes, height, width = x.shape
    even = x[..., : height // 2 * 2, : width // 2 * 2]
    return even.reshape(*planes, height // 2, 2, width // 2, 2)

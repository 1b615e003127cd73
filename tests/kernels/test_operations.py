"""Every operation on every device against NumPy in float64, on random shapes: odd sizes, 1 and empty ones."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

# The largest error, as a part of the largest expected value; for sums, of the largest sum of absolute values
# (what cancels in the sum does not cancel in its rounding). float32 rounds to 6e-8.
RELATIVE_ERROR = 1e-6

few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
size = st.sampled_from([0, 1, 2, 3, 7, 8, 16, 17, 31, 33, 64, 65, 100])
some = st.sampled_from([1, 2, 3, 5, 11])
seed = st.integers(0, 1000)


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def assert_close(got, expected, magnitude=None):
    assert got.shape == expected.shape
    scale = np.abs(expected if magnitude is None else magnitude).max(initial=1e-30)
    assert np.abs(got - expected).max(initial=0) <= RELATIVE_ERROR * scale


def assert_all_close(ops, buffers, function, *arrays):
    """Compare buffers with what a function of sums of products makes of the arrays."""
    values = function(*wide(*arrays)), function(*(np.abs(array) for array in wide(*arrays)))
    for buffer, expected, magnitude in zip(buffers, *values, strict=True):
        assert_close(ops.get(buffer), expected, magnitude)


@few
@given(n=st.one_of(size, st.integers(0, 20000)), seed=seed)
def test_one_element_a_work_item(any_ops, n, seed):
    a, b = draw(seed, n), draw(seed + 1, n)
    x, y = wide(a, b)
    p, q = any_ops.put(a), any_ops.put(b)
    assert_close(any_ops.get(any_ops.vector_add(p, q)), x + y)
    assert_close(any_ops.get(any_ops.relu(p)), np.maximum(x, 0))
    squashed = any_ops.tanh(any_ops.put(5 * a))
    assert_close(any_ops.get(squashed), np.tanh(5 * x))
    assert_close(any_ops.get(any_ops.tanh_backward(squashed, q)), y * (1 - np.tanh(5 * x) ** 2))
    assert_close(any_ops.get(any_ops.saxpy(0.5, p, q)), 0.5 * x + y)


@few
@given(n=st.one_of(size, st.integers(0, 300_000)), seed=seed)
def test_sum(any_ops, n, seed):
    x = draw(seed, n)
    assert abs(any_ops.sum(any_ops.put(x)) - x.sum(dtype=np.float64)) <= 1e-6 * np.abs(x).sum(
        dtype=np.float64
    )


@few
@given(rows=size, columns=some | st.sampled_from([64, 65, 130]), seed=seed)
def test_softmax_and_the_loss(any_ops, rows, columns, seed):
    logits = 30 * draw(seed, rows, columns)
    targets = np.random.default_rng(seed).integers(0, columns, rows).astype(np.int32)
    (z,) = wide(logits)
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    x = any_ops.put(logits)
    assert_close(any_ops.get(any_ops.softmax(x)), p)
    losses, gradient = any_ops.cross_entropy(x, any_ops.put(targets))
    shifted = z - z.max(1, keepdims=True)
    picked = shifted[np.arange(rows), targets]
    assert_close(any_ops.get(losses), np.log(np.exp(shifted).sum(1)) - picked)
    assert_close(any_ops.get(gradient), (p - np.eye(columns)[targets]) / max(1, rows))


@few
@given(m=size, n=size, k=size, ta=st.booleans(), tb=st.booleans(), seed=seed)
@pytest.mark.parametrize("variant", ["textbook", "tiled", "registers"])
def test_matmul(any_ops, variant, m, n, k, ta, tb, seed):
    a, b = draw(seed, m, k), draw(seed + 1, k, n)
    p = any_ops.put(np.ascontiguousarray(a.T) if ta else a)
    q = any_ops.put(np.ascontiguousarray(b.T) if tb else b)
    assert_all_close(any_ops, [any_ops.matmul(p, q, variant, ta, tb)], lambda x, y: [x @ y], a, b)


@few
@given(n=some, inner=size, outer=some, seed=seed)
def test_linear_and_its_gradients(any_ops, n, inner, outer, seed):
    x, w, b, dy = (
        draw(seed, n, inner),
        draw(seed + 1, outer, inner),
        draw(seed + 2, outer),
        draw(seed, n, outer),
    )
    p, q = any_ops.put(x), any_ops.put(w)
    y = any_ops.linear(p, q, any_ops.put(b))
    gradients = any_ops.linear_backward(p, q, any_ops.put(dy))

    def expected(x, w, b, dy):
        return x @ w.T + b, dy @ w, dy.T @ x, dy.sum(0)

    assert_all_close(any_ops, [y, *gradients], expected, x, w, b, dy)


@few
@given(
    n=st.integers(0, 5),
    channels=some,
    filters=some,
    height=st.integers(5, 26),
    width=st.integers(5, 26),
    sides=st.just((5, 5))
    | st.tuples(st.integers(1, 5), st.integers(1, 5)),  # the tuned kernel is one for 5 x 5
    seed=seed,
)
@pytest.mark.parametrize("variant", ["textbook", "tuned"])
def test_conv2d_and_its_gradients(any_ops, variant, n, channels, filters, height, width, sides, seed):
    tall, wide_ = sides
    x, w, b = (
        draw(seed, n, channels, height, width),
        draw(seed, filters, channels, tall, wide_),
        draw(seed, filters),
    )
    dy = draw(seed + 1, n, filters, height - tall + 1, width - wide_ + 1)
    p, q = any_ops.put(x), any_ops.put(w)
    y = any_ops.conv2d(p, q, any_ops.put(b), variant)
    gradients = any_ops.conv2d_backward(p, q, any_ops.put(dy), variant)

    def expected(x, w, b, dy):
        seen = sliding_window_view(x, (tall, wide_), (2, 3))
        padded = np.pad(dy, ((0, 0), (0, 0), (tall - 1, tall - 1), (wide_ - 1, wide_ - 1)))
        seen_back = sliding_window_view(padded, (tall, wide_), (2, 3))
        return (
            np.einsum("nchwij,fcij->nfhw", seen, w) + b[:, None, None],
            np.einsum("nfhwij,fcij->nchw", seen_back, w[:, :, ::-1, ::-1]),
            np.einsum("nchwij,nfhw->fcij", seen, dy),
            dy.sum((0, 2, 3)),
        )

    assert_all_close(any_ops, [y, *gradients], expected, x, w, b, dy)


@few
@given(n=st.integers(0, 3), channels=some, height=st.integers(1, 20), width=st.integers(1, 20), seed=seed)
def test_maxpool2_and_its_gradient(any_ops, n, channels, height, width, seed):
    # Whole numbers, so that windows have equal pixels: the first in reading order gets the gradient.
    x = np.round(draw(seed, n, channels, height, width))
    dy = draw(seed, n, channels, height // 2, width // 2)
    y, dx = np.zeros(dy.shape), np.zeros(x.shape)
    for at in np.ndindex(dy.shape):
        row, column = 2 * at[2], 2 * at[3]
        window = x[at[0], at[1], row : row + 2, column : column + 2]
        y[at] = window.max()
        i, j = divmod(int(window.argmax()), 2)
        dx[at[0], at[1], row + i, column + j] = dy[at]
    p = any_ops.put(x)
    assert_close(any_ops.get(any_ops.maxpool2(p)), y)
    assert_close(any_ops.get(any_ops.maxpool2_backward(p, any_ops.put(dy))), dx)


def test_a_wrong_class_number_shows_as_a_loss_that_is_no_number(ops):
    losses, _ = ops.cross_entropy(ops.put(draw(0, 2, 10)), ops.put(np.array([3, 99], np.int32)))
    assert np.isnan(ops.get(losses)).tolist() == [False, True]

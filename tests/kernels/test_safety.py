"""What cannot happen by accident: a launch that leaves its buffers, a wrong array, a compiler's riddle."""

import multiprocessing
import os

import numpy as np
import pytest

from k2c import kernels
from k2c.errors import K2CError

ADD = """KERNEL add(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = a[i] + b[i];
}
"""


def ones(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.ones(3), r"the array is float64\. Convert it: array\.astype\(np\.float32\)"),
        (ones(4, 4).T[1:], r"not contiguous.*np\.ascontiguousarray"),
        ([1.0, 2.0], r"got a list"),
    ],
    ids=["dtype", "gaps", "list"],
)
def test_arrays_that_no_kernel_can_use_are_refused(any_ops, array, message):
    with pytest.raises(K2CError, match=message):
        any_ops.put(array)


def test_operations_refuse_what_does_not_fit(any_ops):
    a, b = any_ops.put(ones(4, 3)), any_ops.put(ones(4, 3))
    with pytest.raises(K2CError, match=r"b has the shape \(4, 3\), and has to have \(3, any\)"):
        any_ops.matmul(a, b)
    with pytest.raises(K2CError, match=r"b is a ndarray on the host\. Copy it to the device first: ops\.put"):
        any_ops.vector_add(a, ones(4, 3))
    with pytest.raises(
        K2CError, match=r"There is no variant 'fast'\. Variants are textbook, tiled, registers"
    ):
        any_ops.matmul(a, b, "fast", transpose_b=True)
    with pytest.raises(K2CError, match=r"A kernel of 5x5 does not fit into images of 4x4"):
        any_ops.conv2d(any_ops.put(ones(1, 1, 4, 4)), any_ops.put(ones(1, 1, 5, 5)), any_ops.put(ones(1)))


def test_a_buffer_of_another_device_is_refused(ops):
    other = kernels.open("numpy")
    with pytest.raises(K2CError, match=r"b is on numpy, made by another kernels\.open\(\)"):
        ops.vector_add(ops.put(ones(3)), other.put(ones(3)))


@pytest.mark.parametrize(
    "name, size, args, message",
    [
        ("vector_add", 100, ["a", "a", "a", 101], r"touches n = 101 elements of a, and it has 100"),
        ("vector_add", 100, ["a", "a", "a"], r"takes 4 arguments \(a, b, out, n\), and got 3"),
        ("vector_add", 100, ["a", "a", "a", -1], r"n of vector_add is a whole number from 0"),
        ("vector_add", 100, ["a", "a", "a", 2.5], r"n of vector_add is a whole number from 0"),
        ("vector_add", 100, ["a", "a", "i", 100], r"out of vector_add is int32, and has to be float32"),
        ("vector_add", (10, 10), ["a", "a", "a", 100], r"vector_add has 1 axes"),
        ("sum", 1024, ["a", "one", 100], r"touches groups = 4 elements of partial, and it has 1"),
        ("matmul_textbook", (11, 10), ["a", "a", "a", 10, 11, 10], r"touches k\*n = 110 elements of b"),
        ("maxpol2", 1, [], r"There is no kernel 'maxpol2'"),
    ],
)
def test_a_launch_that_would_leave_its_buffers_is_refused(any_ops, name, size, args, message):
    if any_ops.name == "torch":
        pytest.skip("torch runs no kernels")
    made = {"a": any_ops.put(ones(100)), "one": any_ops.empty(1), "i": any_ops.put(np.ones(100, np.int32))}
    with pytest.raises(K2CError, match=message):
        any_ops.run(name, size, *(made.get(arg, arg) for arg in args))


def test_a_tile_that_does_not_fit_and_a_group_that_is_too_large_are_refused(ops):
    x, y = ops.put(ones(64)), ops.empty(1000)
    with pytest.raises(K2CError, match=r"conv2d_tuned needs \(width-kernel_width\+1\) >= 8"):
        ops.run("conv2d_tuned", (1, 1, 1), x, y, x, y, 1, 1, 8, 8, 1, 5, 5)
    with pytest.raises(K2CError, match=r"sum has local memory for work-groups of \(256,\)"):
        ops.run("sum", 512, x, y, 64, local=512)


def test_global_size_is_rounded_up_and_the_guard_holds(ops):
    a, out = ops.put(ones(100)), ops.put(ones(128))
    ops.run("vector_add", 100, a, a, out, 100, local=64)
    assert ops.get(out).tolist() == [2.0] * 100 + [1.0] * 28


def test_a_build_error_shows_the_line(ops):
    with pytest.raises(K2CError, match=r"(?s)line 3: .*totl.*\n +3 \|     if \(i < n\) out\[i\] = totl;"):
        ops.compile(ADD.replace("a[i] + b[i]", "totl"))


def test_a_students_kernel_that_leaves_its_array_names_the_work_item_and_the_line(ops):
    a, out = ops.put(ones(100)), ops.empty(100)
    kernel = ops.compile(ADD)
    kernel.run(100, a, a, out, 100)
    assert (ops.get(out) == 2).all()
    off_by_one = ops.compile(ADD.replace("i < n", "i <= n"))
    with pytest.raises(
        K2CError, match=r"work-item \(100, 0, 0\) .*\[100\], and \w+ has 100 elements(?s:.*)line 3"
    ):
        off_by_one.run(100, a, a, out, 100)


def test_local_arrays_and_writes_at_negative_indices_are_checked_too(ops):
    kernel = ops.compile(
        """KERNEL turn(GLOBAL float *x, int n) {
    LOCAL float shared[8];
    int me = LOCAL_ID(0);
    shared[me + n] = x[me];
    BARRIER;
    x[me - n] = shared[7 - me];
}"""
    )
    x = ops.put(np.arange(8, dtype=np.float32))
    kernel.run(8, x, 0, local=8)
    assert ops.get(x).tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    with pytest.raises(K2CError, match=r"writes (shared\[8\]|x\[-1\])"):
        kernel.run(8, x, 1, local=8)


def test_an_access_that_cannot_be_checked_is_refused(ops):
    with pytest.raises(K2CError, match=r"Line 3 uses a without an index.*Write every access as a\[index\]"):
        ops.compile(ADD.replace("a[i] + b[i]", "*(a + i)"))


@pytest.mark.parametrize("name", [n for n, s in kernels.SPECIFICATIONS.items() if s.reference])
def test_no_kernel_leaves_its_arrays_and_each_does_what_its_specification_says(ops, name):
    """Every access is checked, on sizes that fit no work-group or tile."""
    if name == "sum_without_barrier":
        pytest.skip("wrong on purpose")
    assert (
        kernels.first_error(kernels.source_of(kernels.specification(name).source), name, ops, **sizes(name))
        == "right"
    )


def sizes(name):
    if name == "transpose":
        return dict(rows=19, columns=35)
    if name.startswith("conv2d"):
        values = dict(n=2, channels=3, height=13, width=17, filters=7, kernel_height=5, kernel_width=5)
    elif name.startswith("matmul"):
        values = dict(m=19, n=35, k=17)
    elif name == "maxpool2":
        values = dict(planes=5, height=9, width=11)
    elif name == "softmax":
        values = dict(rows=5, columns=77)
    else:
        values = dict(n=1001)
    return values


def test_the_other_tuned_kernels_stay_in_their_arrays(ops, checked):
    case = kernels.random_case("matmul_registers", ops.kind, **sizes("matmul"))
    checked(ops, "matmul_registers").run(case.global_size, *case.put(ops), local=(1, 1))
    numbers = dict(n=3, channels=2, height=10, width=20, filters=6, kernel_height=5, kernel_width=5, chunks=2)
    case = kernels.random_case("conv2d_backward_weight_tuned", ops.kind, **numbers)
    checked(ops, "conv2d_backward_weight_tuned").run(case.global_size, *case.put(ops), local=case.local)


def test_the_first_wrong_element_is_named(ops):
    wrong = kernels.source_of("elementwise.cl").replace(
        "out[i] = a[i] + b[i];", "out[i] = a[i] + (i == 5 ? 0 : b[i]);"
    )
    said = kernels.first_error(wrong, "vector_add", ops, n=10)
    assert said.startswith("With n=10: out[5] is ") and said.endswith("1 of 10 elements are wrong.")
    unwritten = kernels.source_of("elementwise.cl").replace("if (i < n) out[i] = a[i] + b[i];", "")
    assert "out[0] was never written" in kernels.first_error(unwritten, "vector_add", ops, n=10)


def test_the_sum_without_its_barrier_is_wrong(ops):
    if ops.kind == "gpu":
        pytest.skip("a race may also end well")
    x, partial = ops.put(ones(256)), ops.empty(1)
    ops.run("sum_without_barrier", 256, x, partial, 256)
    assert ops.get(partial)[0] != 256
    ops.run("sum", 256, x, partial, 256)
    assert ops.get(partial)[0] == 256


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_is_told_to_spawn():
    try:
        ops = kernels.open("opencl")
    except K2CError as error:
        pytest.skip(str(error))

    def child(pipe):
        try:
            ops.empty(1)
        except K2CError as error:
            pipe.send(str(error))

    parent_end, child_end = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(child_end,))
    process.start()
    assert parent_end.poll(20)
    assert 'get_context("spawn")' in parent_end.recv()
    process.join(20)

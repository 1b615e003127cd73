"""A kernel written in a lecture: its verdict says what is wrong first, and its accesses are counted."""

import pytest

from k2c import kernels
from k2c.display.kernels import kernel_source
from k2c.errors import K2CError
from k2c.kernels import Attempt

RELU = """KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = x[i] > 0.0f ? x[i] : 0.0f;
}"""


@pytest.fixture(scope="module")
def ops():
    try:
        return kernels.open("opencl")
    except K2CError as error:
        pytest.skip(str(error))


def test_a_right_kernel_is_right_on_every_size(ops):
    assert [Attempt(ops, RELU).on(n=n) for n in (1, 256, 257)] == ["right"] * 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("if (i < n) ", ""), r"leaves its memory: work-item \(257, 0, 0\)"),
        (("x[i] : 0.0f;", "x[i] : 0.0f"), "does not compile"),
        (("> 0.0f", "< 0.0f"), r"out\[0\] is 0, and has to be 0.12"),
        (("KERNEL", "void"), "A kernel begins with"),
    ],
)
def test_a_wrong_kernel_says_what_is_wrong_first(ops, change, complaint):
    with pytest.raises(K2CError, match=complaint):
        Attempt(ops, RELU.replace(*change)).on(n=257)


def test_tiling_reads_as_much_less_as_a_tile_is_wide(ops):
    sizes = {"m": 32, "n": 32, "k": 32}
    textbook, tiled = (
        Attempt(ops, kernel_source(f"matmul_{variant}")).global_reads(**sizes)
        for variant in ("textbook", "tiled")
    )
    assert (textbook, tiled) == (256 * 64, 256 * 64 // 16)


def test_a_reference_says_that_it_runs_no_kernels():
    with pytest.raises(K2CError, match="runs no kernels"):
        Attempt(kernels.open("numpy"), RELU).on(n=5)


@pytest.mark.parametrize("rows, wide", [(6, 4), (6, 1)])
def test_counts_are_of_the_given_compile_time_numbers(ops, rows, wide):
    shape = {"TILE": 16, "ROWS": rows, "WIDE": wide, "ITEMS": 2}
    attempt = Attempt(ops, kernel_source("matmul_registers"), options=shape)
    totals = attempt.trace(m=48, n=64, k=24).totals()
    reads = totals["global_reads"] / (totals["global_writes"] * 24)
    assert reads == pytest.approx(1 / rows + 1 / (16 * wide))  # ROWS of a and 16 * WIDE of b, for each i

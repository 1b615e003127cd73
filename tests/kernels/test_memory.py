"""A warp's accesses cost what NVIDIA's guides say: sectors, bank conflicts, divergence, occupancy, counted by hand."""

import numpy as np
import pytest

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels import Attempt, Trace, memory_report, occupancy

ITEMS = np.arange(32)


def report(index, local=False, items=ITEMS, work_items=32):
    """Return the report of one access a work-item, of the elements `index`."""
    zeros, index = np.zeros(len(items), int), np.broadcast_to(index, len(items))
    return memory_report(Trace(("x",), (local,), zeros, zeros == 1, index, items, zeros, zeros), work_items)


# CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory": neighbours 4 sectors; misaligned 5; stride 2 half
# of the bytes used; far apart a sector each.
@pytest.mark.parametrize(
    "index, sectors, efficiency",
    [
        (ITEMS, 4, 1),
        (ITEMS[::-1], 4, 1),
        (ITEMS + 1, 5, 32 / 40),
        (2 * ITEMS, 8, 0.5),
        (8 * ITEMS, 32, 1 / 8),
        (1000 * ITEMS, 32, 1 / 8),
        (7, 1, 1 / 8),  # all work-items read one element
    ],
)
def test_sectors_of_a_request(index, sectors, efficiency):
    found = report(index)
    assert (found.requests, found.sectors, found.efficiency) == (1, sectors, pytest.approx(efficiency))
    assert found.conflicts == found.divergent == 0


# CUDA C++ Programming Guide, "Shared Memory" (strided accesses; the figure with strides 1, 2 and 3), and broadcast.
@pytest.mark.parametrize(
    "index, conflicts",
    [(ITEMS, 0), (2 * ITEMS, 1), (3 * ITEMS, 0), (4 * ITEMS, 3), (32 * ITEMS, 31), (33 * ITEMS, 0), (7, 0)],
)
def test_bank_conflicts_of_a_request(index, conflicts):
    found = report(index, local=True)
    assert (found.conflicts, found.sectors, found.lines[0].transactions) == (conflicts, 0, conflicts + 1)


def test_a_request_of_a_part_of_the_warp_is_divergent():
    assert report(ITEMS).divergent == 0
    assert report(ITEMS[:20], items=ITEMS[:20]).divergent == 1
    assert report(ITEMS[:20], items=ITEMS[:20], work_items=20).divergent == 0  # a group of 20 has no other
    assert report(np.arange(64), items=np.arange(64), work_items=64).requests == 2  # two warps


def test_occupancy_by_hand():
    assert occupancy(256) == 1  # 8 groups of 8 warps
    assert occupancy(32) == 0.5  # at most 32 groups, of 1 warp
    assert occupancy(64, 32 * 1024) == 6 * 2 / 64  # 228 // 33 = 6 groups, of 2 warps
    assert occupancy(768) == 48 / 64  # 64 // 24 = 2 groups
    with pytest.raises(K2CError, match="does not fit"):
        occupancy(2048)
    with pytest.raises(K2CError, match="does not fit"):
        occupancy(256, 228 * 1024)


def test_a_trace_of_a_larger_group_is_refused():
    with pytest.raises(K2CError, match="size of the group"):
        report(ITEMS, work_items=16)


TREE = """KERNEL sum(GLOBAL const float *x, GLOBAL float *partial, int n) {
    LOCAL float shared[GROUP];
    int me = LOCAL_ID(0);
    shared[me] = x[GLOBAL_ID(0)];
    BARRIER;
    for (int round = 1; round < GROUP; round *= 2) {
        ROUND
        BARRIER;
    }
    if (me == 0) partial[GROUP_ID(0)] = shared[0];
}"""
SCATTERED = "if (me % (2 * round) == 0) shared[me] = shared[me] + shared[me + round];"
STRIDED = "int i = 2 * round * me; if (i < GROUP) shared[i] = shared[i] + shared[i + round];"
NEIGHBOURS = "int span = GROUP / 2 / round; if (me < span) shared[me] = shared[me] + shared[me + span];"


# Harris, "Optimizing parallel reduction in CUDA": scattered work-items diverge, strided ones conflict, neighbours do
# neither. 256 work-items, 8 warps: scattered, all 8 in each of 5 rounds, then 4, 2, 1, always in part; strided and
# neighbours 4, 2, 1 whole warps, then 5 rounds in part. Three accesses each (two reads, one write), and the last
# two (one reads shared[0], one writes partial).
@pytest.mark.parametrize(
    "round_, divergent, conflicts",
    [(SCATTERED, 3 * 47 + 2, 0), (STRIDED, 3 * 5 + 2, None), (NEIGHBOURS, 17, 0)],
)
def test_three_reductions(ops, round_, divergent, conflicts):
    found = Attempt(ops, TREE.replace("ROUND", round_)).memory_report(n=256)
    assert found.divergent == divergent
    assert found.local_bytes == 4 * 256
    if conflicts is None:
        # Stride 2 (4 warps, 2-way), 4 (2 warps, 4-way), 8 (1 warp, 8-way), then 16, 8, 4, 2, 1 work-items whose
        # elements are 16, 32, 64, 128, 256 apart: 8-way, 8-way, 4-way, 2-way, none.
        conflicts = 3 * (4 * 1 + 2 * 3 + 7 + 7 + 7 + 3 + 1)
    assert found.conflicts == conflicts


def test_a_copy_by_rows_and_by_columns(ops):
    size = 64
    text = """KERNEL copy(GLOBAL const float *x, GLOBAL float *out, int n) {
        size_t i = GLOBAL_ID(0), j = GLOBAL_ID(1);
        out[WHERE] = x[WHERE];
    }"""
    arrays = ops.put(np.ones(size * size, np.float32)), ops.empty(size * size)
    by_rows, by_columns = (
        ops.compile(text.replace("WHERE", where)).memory_report((size, size), *arrays, size, local=(32, 8))
        for where in ("j * n + i", "i * n + j")
    )
    assert [a.per_request for a in by_rows.lines] == [4, 4]
    assert [a.per_request for a in by_columns.lines] == [32, 32]
    assert (by_rows.efficiency, by_columns.efficiency) == (1, 1 / 8)


def test_explain_marks_the_lines(ops):
    text = (
        "KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {\n  int i = 8 * (int)GLOBAL_ID(0);\n"
        + ("  if (i < n) out[i] = x[i];\n}")
    )
    explained = Attempt(ops, text).memory_report(n=2048).explain().splitlines()
    assert explained[2] == "  3 |   if (i < n) out[i] = x[i];"
    assert explained[3:5] == [
        "    ^ reads x: 32 sectors per request, 12% used",
        "    ^ writes out: 32 sectors per request, 12% used",
    ]


def test_a_kernel_runs_on_arrays_of_ones_own(ops):
    text = "KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {\n  size_t i = GLOBAL_ID(0);\n" + (
        "  if (i < n) out[i] = x[i] > 0.0f ? x[i] : 0.0f;\n}"
    )
    given = np.array([-2.0, 0.5, 3.0])
    assert Attempt(ops, text, local=(32,)).outputs({"x": given}, n=3)["out"].tolist() == [0, 0.5, 3]


def test_every_kernel_of_the_package_has_a_report(ops):
    reports = kernels.memory_reports(ops)
    assert list(reports) == list(kernels.SPECIFICATIONS)
    for name, found in reports.items():
        arguments = {a.name for a in kernels.specification(name).arguments if a.is_buffer}
        assert {a.array for a in found.lines if not a.is_local} == arguments, name
        assert found.requests > 0
        assert 0 < found.efficiency <= 1
        assert 0 < found.occupancy <= 1
        assert all(a.transactions >= a.requests - a.divergent for a in found.lines)
    for name in (
        "vector_add",
        "saxpy",
        "fill",
        "tanh_forward",
    ):  # neighbours, whole sectors: nothing is wasted
        assert reports[name].efficiency == 1, name
    assert reports["sum"].conflicts == reports["softmax"].conflicts == 0


def test_a_kernel_runs_without_checks_to_be_timed(ops):
    text = "KERNEL twice(GLOBAL float *x, int n) { size_t i = GLOBAL_ID(0); if (i < n) x[i] = 2 * x[i]; }"
    x, kernel = ops.put(np.ones(100, np.float32)), ops.compile(text)
    kernel.run(100, x, 100, checks=False)
    kernel.run(100, x, 100)
    assert ops.get(x).tolist() == [4.0] * 100

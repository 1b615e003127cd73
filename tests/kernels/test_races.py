"""Two work-items at one element with no barrier between, one of them writing: found whatever the result was."""

import numpy as np
import pytest

import k2c
from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels import Attempt, Trace
from k2c.kernels.build import define_flags, options_of
from k2c.kernels.instrument import HELPER, instrument
from k2c.kernels.nvrtc import load_nvrtc

BARRIER = "BARRIER;"
SUM = """KERNEL sum(GLOBAL const float *x, GLOBAL float *partial, int n) {
    LOCAL float shared[GROUP];
    size_t me = LOCAL_ID(0);
    float mine = 0.0f;
    for (size_t i = GLOBAL_ID(0); i < n; i += GLOBAL_SIZE(0)) mine += x[i];
    shared[me] = mine;
    AFTER_FILLING
    for (int span = GROUP / 2; span > 0; span /= 2) {
        if (me < span) shared[me] = shared[me] + shared[me + span];
        AFTER_EACH_ROUND
    }
    BEFORE_THE_END
    if (me == 0) partial[GROUP_ID(0)] = shared[0];
}"""


def my_sum(ops, after_filling=BARRIER, after_each_round=BARRIER, before_the_end=""):
    text = SUM.replace("AFTER_FILLING", after_filling).replace("AFTER_EACH_ROUND", after_each_round)
    return Attempt(ops, text.replace("BEFORE_THE_END", before_the_end))


def traced(*accesses):
    """Return a trace of one local array, of accesses (work-item, `r` or `w`, element, barriers passed before)."""
    items, ways, elements, barriers = (np.array(column) for column in zip(*accesses, strict=True))
    zeros = np.zeros(len(items), int)
    return Trace(("shared",), (True,), zeros, ways == "w", elements, items, zeros + 7, barriers)


@pytest.mark.parametrize(
    "accesses, work_items",
    [
        ([(0, "w", 5, 0), (3, "r", 5, 0)], (0, 3)),
        ([(0, "r", 5, 0), (3, "w", 5, 0)], (3, 0)),
        ([(1, "w", 5, 2), (0, "w", 5, 2)], (0, 1)),
        ([(0, "w", 5, 0), (0, "r", 5, 0)], None),  # nobody has to wait for himself
        ([(0, "w", 5, 0), (3, "r", 5, 1)], None),  # a barrier between
        ([(0, "w", 5, 0), (3, "r", 6, 0)], None),  # another element
        ([(0, "r", 5, 0), (3, "r", 5, 0)], None),  # nobody writes
    ],
)
def test_what_is_a_race_and_what_is_none(accesses, work_items):
    found = traced(*accesses).races()
    assert [race.work_items for race in found] == ([work_items] if work_items else [])
    assert all((race.array, race.index, race.lines) == ("shared", 5, (7, 7)) for race in found)


def test_a_trace_of_nothing_has_no_race():
    nothing = np.zeros(0, int)
    assert Trace((), (), *[nothing, nothing > 0, *[nothing] * 4]).races() == ()


@pytest.mark.parametrize("before_the_end", ["", BARRIER])
def test_the_missing_barrier_is_found_though_the_result_may_be_right(ops, before_the_end):
    assert my_sum(ops, before_the_end=before_the_end).verdict(n=300) == "right"
    assert my_sum(ops, after_filling="", before_the_end=before_the_end).verdict(n=300) == (
        "With n=300: Race: work-item 128 writes shared[128] (line 6), work-item 0 reads it (line 9), and no "
        "barrier stands between. Who comes first decides the result."
        "\n  line 6 | shared[me] = mine;"
        "\n  line 9 | if (me < span) shared[me] = shared[me] + shared[me + span];"
    )
    assert "work-item 1 writes shared[1] (line 9), work-item 0 reads it (line 9)" in my_sum(
        ops, after_each_round="", before_the_end=before_the_end
    ).verdict(n=300)


def test_the_exercise_names_the_race_and_counts_the_barriers_that_everybody_waits_at(ops, capsys):
    k2c.check("kernels.3", lambda: my_sum(ops))
    assert "kernels.3: right" in capsys.readouterr().out
    k2c.check("kernels.3", lambda: my_sum(ops, after_filling=""))
    said = capsys.readouterr().out
    assert "Race: work-item 128 writes shared[128]" in said and "by luck" in said
    k2c.check("kernels.3", lambda: my_sum(ops, before_the_end=BARRIER))
    assert "gave 10, expected 9" in (said := capsys.readouterr().out) and "its own write" in said


def test_a_race_in_global_memory_and_a_barrier_spelt_as_opencl_does(ops):
    text = """KERNEL turn(GLOBAL float *x, GLOBAL float *last, int n) {
    size_t i = GLOBAL_ID(0);
    float mine = x[n - 1 - i];
    BARRIER
    x[i] = mine;
    last[0] += mine;
}"""
    arguments = [ops.put(np.arange(8, dtype=np.float32)), ops.put(np.zeros(1, np.float32)), 8]
    spelling = "barrier(CLK_LOCAL_MEM_FENCE);" if ops.name == "opencl" else "__syncthreads();"
    (race,) = ops.compile(text.replace("BARRIER", spelling)).trace(8, *arguments, local=8).races()
    assert (race.array, race.index, race.work_items, race.writes, race.lines) == (
        "last",
        0,
        (0, 1),
        (True, True),
        (6, 6),
    )
    without = ops.compile(text.replace("BARRIER", "")).trace(8, *arguments, local=8)
    assert {race.array for race in without.races()} == {"x", "last"}
    assert without.counts()["last"] == {"reads": 8, "writes": 8, "elements": 1}


HELPED = """DEVICE void put_at(GLOBAL float *to, size_t i, float value) {
    to[i] = value;
}
DEVICE float twice(GLOBAL const float *from, GLOBAL float *to, size_t i) {
    put_at(to, i, 2.0f * from[i]);
    return from[i];
}
KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) put_at(out, INDEX, twice(x, out, i) > 0.0f ? x[i] : 0.0f);
}"""


def test_functions_that_a_kernel_gives_its_arrays_to_are_followed(ops):
    assert Attempt(ops, HELPED.replace("INDEX", "i")).on(n=70) == "right"
    counts = Attempt(ops, HELPED.replace("INDEX", "i")).trace(n=70).counts()
    assert (counts["x"]["writes"], counts["out"]["writes"]) == (0, 140)
    assert "writes out[70]" in (said := Attempt(ops, HELPED.replace("INDEX", "i + 1")).verdict(n=70))
    assert "line 2 | to[i] = value;" in said
    assert "writes out[0] (line 2), work-item 1" in Attempt(ops, HELPED.replace("INDEX", "i / 2")).verdict(
        n=70
    )


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("put_at(out", "put_at(out + 1"), r"Line 10 passes out \+ 1 to put_at.*Pass a whole array"),
        (("    to[i] = value;", "    to[i] = value; BARRIER;"), "Line 2 has a barrier outside of a kernel"),
    ],
)
def test_what_cannot_be_followed_is_refused(ops, change, complaint):
    with pytest.raises(K2CError, match=complaint):
        ops.compile(HELPED.replace("INDEX", "i").replace(*change))


@pytest.mark.parametrize("name", ["sum", "softmax", "matmul_tiled"])
def test_the_kernels_with_barriers_have_no_race(ops, checked, name):
    numbers = {"sum": dict(n=1000), "softmax": dict(rows=3, columns=150)}.get(name, dict(m=20, n=20, k=40))
    case = kernels.random_case(name, ops.kind, **numbers)
    trace = checked(ops, name).trace(case.global_size, *case.put(ops), local=case.local)
    assert trace.races() == () and trace.barriers.max() > 2


@pytest.mark.parametrize("name", ["sum", "conv2d_tuned", "matmul_tiled", "relu"])
def test_a_rewritten_kernel_is_cuda_too(name):
    try:
        load_nvrtc()
    except K2CError as error:
        pytest.skip(str(error))
    source = kernels.specification(name).source
    text = HELPED.replace("INDEX", "i") if name == "relu" else kernels.source_of(source)
    flags = define_flags(options_of("gpu", source))
    ptx = kernels.compile_cuda(instrument(text, name).text, name, flags, helper=HELPER).decode()
    assert f".entry {name}(" in ptx


def test_a_race_is_told_for_each_pair_of_lines():
    """Filling (line 6) against a round (line 8), and a round against the next: each needs a barrier of its own."""
    written, lines = np.array([True, True, False]), np.array([6, 8, 8])
    items, same = np.array([0, 1, 2]), np.zeros(3, int)
    races = Trace(("shared",), (True,), same, written, same, items, lines, same).races()
    assert {race.lines for race in races} == {(6, 8), (8, 8)}

"""The register of benchmarks and its rows; the benchmarks themselves are no part of the tests."""

import io

import pytest

from k2c._system.terminal import Terminal
from k2c.bench import alternate, available, print_rows, run_benchmarks, time_row
from k2c.errors import K2CError


def test_benchmarks_are_found_and_misspelt_ones_refused():
    assert "mnist" in available()
    with pytest.raises(K2CError, match="no benchmark 'minst'; did you mean 'mnist'"):
        run_benchmarks(["minst"])


def test_a_time_is_judged_by_how_many_times_faster_it_is():
    fast = time_row("step", times=([0.5, 0.6, 0.5], [1.5, 1.2, 1.5]), target=2, detail="median of 3")
    slow = time_row("step", times=([1.0], [1.5]), target=2, detail="median of 3")
    assert (fast["ratio"], fast["ok"]) == (3, True)
    assert (slow["ratio"], slow["ok"]) == (1.5, False)

    text = io.StringIO()
    print_rows([fast, slow], Terminal(file=text, width=120))
    assert "missed" in text.getvalue()
    assert "median of 3" in text.getvalue()


def test_both_sides_are_measured_in_turns():
    calls = []
    values = alternate(lambda: calls.append("a") or 1.0, lambda: calls.append("b") or 2.0, repeats=3)
    assert "".join(calls) == "ababab"
    assert values == ([1.0] * 3, [2.0] * 3)

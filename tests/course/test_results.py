"""Claims and records: one line each, the measured value in it and in the metadata of the output."""

import math

import numpy as np
import pandas as pd
import pytest

import k2c
from k2c.course import lecture, write_measured
from k2c.course.results import GuardError
from k2c.errors import K2CError


@pytest.fixture
def profile(monkeypatch):
    return lambda name: monkeypatch.setitem(lecture._open, "profile", name)


def test_a_claim_that_holds_prints_the_measured_value_and_the_claim(capsys):
    k2c.guard("test accuracy", np.float32(0.9871), low=0.985)
    assert capsys.readouterr().out == "test accuracy: 0.9871 (at least 0.985)\n"


def test_a_count_is_claimed_exactly(capsys):
    k2c.guard("parameters", 431_080, low=431_080, high=431_080)
    assert capsys.readouterr().out == "parameters: 431,080 (exactly 431,080)\n"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.98765, "0.9877"), (12345.6, "12,346"), (3.0, "3"), (1.23e-16, "1.23e-16")]
)
def test_a_value_is_written_to_four_digits_and_a_whole_number_in_full(capsys, value, shown):
    k2c.guard("it", value, low=0)
    assert capsys.readouterr().out == f"it: {shown} (at least 0)\n"


@pytest.mark.parametrize(
    ("value", "bounds", "claim"),
    [
        (0.5, {"low": 0.6}, "at least 0.6"),
        (2, {"high": 1}, "at most 1"),
        (math.nan, {"low": 0, "high": 1}, "from 0 to 1"),
    ],
)
def test_a_claim_that_fails_raises_with_the_measured_value(capsys, value, bounds, claim):
    with pytest.raises(GuardError, match=f"should be {claim}, and it is {value:g}"):
        k2c.guard("fraction", value, **bounds)
    assert capsys.readouterr().out == f"fraction: {value:g} (not {claim})\n"


def test_a_claim_of_one_profile_is_only_measured_under_another(profile, capsys):
    bounds = {"lecture": 0.985, "full": 0.991}
    profile("custom")
    k2c.guard("accuracy", 0.3, low=bounds)
    assert capsys.readouterr().out == (
        "accuracy: 0.3 (no claim: the text around it was written for the default settings)\n"
    )
    profile("full")
    with pytest.raises(GuardError, match=r"at least 0\.991"):
        k2c.guard("accuracy", 0.987, low=bounds)


def test_what_the_data_cannot_tell_is_said_and_kept_without_a_number(monkeypatch):
    kept = []
    monkeypatch.setattr(
        "k2c.course.results.publish", lambda line, result: kept.append((line, result["guard"]))
    )
    k2c.guard("AUC lost through blur", None, low=0.01)
    line, entry = kept[0]
    assert line == "AUC lost through blur: not measurable with these data"
    assert (entry["value"], entry["status"]) == (None, "not measurable")


def test_a_guard_without_a_bound_is_a_mistake():
    with pytest.raises(ValueError, match="claims nothing"):
        k2c.guard("accuracy", 1.0)


@pytest.mark.parametrize("value", [object(), {"a": 1}, [object()]])
def test_what_is_not_json_is_refused_with_a_sentence(value):
    with pytest.raises(K2CError, match="takes numbers, text"):
        k2c.record(thing=value)


def test_a_series_that_is_too_long_is_refused():
    with pytest.raises(K2CError, match="Record a summary"):
        k2c.record(losses=np.zeros(10_001))


@pytest.fixture
def results(tiny_course):
    folder = tiny_course / "course/results"
    folder.mkdir()
    (folder / "speed.csv").write_text(
        "# python speed.py\n# 2026-11-29, numpy 2\nn,accuracy\n10,0.5\n20,0.75\n"
    )
    return folder


def test_a_table_comes_with_how_it_was_made(results):
    table = k2c.measured("speed")
    assert table.to_dict("list") == {"n": [10, 20], "accuracy": [0.5, 0.75]}
    assert table.attrs["made"] == "python speed.py\n2026-11-29, numpy 2"


def test_an_unknown_table_is_named_with_those_there_are(results):
    with pytest.raises(K2CError, match=r"no table of results 'sped'; did you mean 'speed'\?"):
        k2c.measured("sped")


def test_a_table_is_written_with_how_it_was_made_and_read_again(results):
    speed = pd.DataFrame({"n": [10, 20], "note": ["#1", "a, b"]})
    file = write_measured("steps", speed, "python steps.py 2", "CPU; seconds", libraries=["numpy"])
    assert file == results / "steps.csv"
    table = k2c.measured("steps")
    assert table.to_dict("list") == {"n": [10, 20], "note": ["#1", "a, b"]}
    command, versions, about = table.attrs["made"].splitlines()
    assert (command, about) == ("python steps.py 2", "CPU; seconds")
    assert f"k2c {k2c.__version__}, numpy {np.__version__}" in versions


def test_the_index_of_a_table_is_written_where_it_has_a_name(results):
    table = pd.DataFrame({"by": ["a", "b"], "n": [1, 2]})
    write_measured("counts", table.set_index("by"), "python counts.py", "nothing", libraries=[])
    assert k2c.measured("counts").to_dict("list") == table.to_dict("list")


def test_a_table_whose_writing_fails_leaves_the_old_one(results, monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "to_csv", None)
    before = (results / "speed.csv").read_text()
    with pytest.raises(TypeError):
        write_measured("speed", pd.DataFrame(), "python speed.py", "nothing", libraries=[])
    assert (results / "speed.csv").read_text() == before
    assert [file.name for file in results.iterdir()] == ["speed.csv"]

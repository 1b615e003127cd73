"""Hidden cases are drawn anew and judged by the reference solution; a student's kit has public ones, as values."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import k2c
from k2c.course.cases import hidden_cases, public_cases
from k2c.course.exercises import answers, judge, load_solutions
from k2c.errors import K2CError

ROOT = Path(__file__).parents[2]
ENTRY = {
    "solution": "def add(a, b):\n    return round(a + b)\n",
    "needs": ["numpy.round"],
    "hidden": [
        {
            "draw": {"a": "rng.integers(0, 9, 3)", "b": "round(rng.uniform(), 2)"},
            "call": "answer(a, b)[1:]",
            "hint": "Add.",
        }
    ],
}


def test_hidden_cases_are_literal_calls_with_the_references_values():
    cases = hidden_cases("tiny.1", ENTRY, seed=1)
    assert len(cases) == 3
    assert cases[0]["call"].startswith("answer(np.array([")
    assert (
        judge(cases, answers([case["call"] for case in cases], lambda a, b: np.round(a + b))).status
        == "right"
    )
    wrong = judge(cases, answers([case["call"] for case in cases], lambda a, b: np.round(a - b)))
    assert (wrong.status, wrong.hint) == ("wrong", "Add.")


def test_a_case_may_say_what_is_right_and_draws_know_what_the_exercise_needs():
    kind = {
        "draw": {"kind": "int(round(rng.uniform(2, 9)))"},
        "call": "answer(1)",
        "expect": "kind",
        "hint": "Tell.",
    }
    (case, *_) = hidden_cases("tiny.1", ENTRY | {"hidden": [kind]}, seed=1)
    assert (case["call"], case["value"] in range(2, 10)) == (
        "answer(1)",
        True,
    )  # the call does not tell the kind


def test_they_are_the_same_again_and_different_for_another_student_or_seed():
    calls = [
        [case["call"] for case in hidden_cases("tiny.1", ENTRY, seed, student)]
        for seed, student in ((1, ""), (1, ""), (1, "ada"), (2, ""))
    ]
    assert calls[0] == calls[1]
    assert calls[0] != calls[2]
    assert calls[0] != calls[3]


def test_an_expression_that_fails_is_named():
    broken = ENTRY | {"hidden": [{"draw": {"a": "rng.integer(3)"}, "call": "answer(a, a)", "hint": ""}]}
    with pytest.raises(K2CError, match=r"hidden check 1 of tiny\.1 cannot be drawn: AttributeError"):
        hidden_cases("tiny.1", broken, seed=1)


def test_a_kit_without_solutions_judges_by_the_public_cases(tiny_course, capsys):
    compiled = public_cases("00_tiny")
    assert compiled["tiny.1"]["checks"][1]["value"] == [2, 2]
    (tiny_course / "course/checks").mkdir()
    (tiny_course / "course/checks/00_tiny.json").write_text(json.dumps(compiled))
    (tiny_course / "course/solutions/00_tiny.yml").unlink()
    (tiny_course / "course/solutions").rmdir()
    k2c.check("tiny.1", lambda a, b: a + b)
    k2c.check("tiny.1", lambda a, b: 3)
    out = capsys.readouterr().out
    assert "tiny.1: right, 2 of 2 cases" in out
    assert "Hint: Arrays add as numbers do." in out


def test_points_are_numbers(tmp_path):
    exercise = {"points": "many", "checks": [{"call": "answer", "expect": "1", "hint": ""}]}
    (tmp_path / "00_tiny.yml").write_text(yaml.safe_dump({"tiny.1": exercise}))
    with pytest.raises(K2CError, match=r"points and weight of tiny\.1 are numbers"):
        load_solutions(tmp_path)


@pytest.mark.parametrize("lecture", load_solutions(ROOT / "course/solutions"))
def test_each_lecture_has_public_cases_as_values_and_hidden_ones_that_can_be_drawn(lecture):
    entries = load_solutions(ROOT / "course/solutions")[lecture]
    compiled = json.loads(json.dumps(public_cases(lecture)))
    assert [len(compiled[name]["checks"]) for name in entries] == [len(e["checks"]) for e in entries.values()]
    for name, entry in entries.items():
        drawn = json.loads(json.dumps(hidden_cases(name, entry, seed=6)))
        assert len({case["call"] for case in drawn}) == len(drawn) > 0
        assert (
            not {"True", "'right'"} & {repr(case["value"]) for case in drawn} or name == "lenet.6"
        )  # a word to guess

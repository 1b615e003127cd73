"""An exercise is right, wrong with a hint, or not attempted yet; it never stops a notebook."""

import json

import numpy as np
import pytest
import torch

import k2c
from k2c.course.exercises import Answer, answers, answers_as_json, judge, load_solutions
from k2c.errors import K2CError

pytestmark = pytest.mark.usefixtures("tiny_course")


def test_a_right_answer(capsys):
    k2c.check("tiny.1", lambda a, b: a + b)
    assert capsys.readouterr().out == "tiny.1: right, 2 of 2 cases\n"


@pytest.mark.parametrize("answer", [..., lambda a, b: ..., lambda a, b: [... for _ in range(a)]])
def test_a_hole_is_not_attempted(answer, capsys):
    k2c.check("tiny.1", answer)
    assert capsys.readouterr().out == "tiny.1: not attempted yet\n"


def test_dots_in_an_index_are_no_hole(capsys):
    def first(values, more):
        """Return the first of the last axis."""
        ...
        return values[..., 0] + more

    k2c.check("tiny.1", lambda a, b: a[...] + b)
    assert "stopped with TypeError: 'int' object is not subscriptable" in capsys.readouterr().out
    (given,) = answers(["answer(np.ones((2, 2)), 1)"], first)
    assert given.value.tolist() == [2, 2]


def test_a_wrong_answer_gets_the_first_failing_case_and_its_hint(capsys):
    def add(a, b):
        return 3

    k2c.check("tiny.1", add)
    out = capsys.readouterr().out
    assert "not yet. add(np.ones(2), 1) gave 3, expected [2, 2]." in out
    assert "Hint: Arrays add as numbers do." in out


def test_an_answer_that_raises_is_wrong_and_says_how(capsys):
    k2c.check("tiny.1", lambda a, b: a / 0)
    assert "stopped with ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_an_unknown_exercise_is_named_with_those_there_are():
    with pytest.raises(K2CError, match=r"no exercise 'tiny\.9'.*tiny\.1"):
        k2c.check("tiny.9", 1)


def test_a_call_knows_what_its_exercise_uses():
    calls = ["answer(softmax(np.zeros(2)))"]
    (without,) = answers(calls, lambda value: value)
    assert without.error == "NameError: name 'softmax' is not defined"
    (given,) = answers(calls, lambda values: values.tolist(), ["scipy.special.softmax"])
    assert given.value == [0.5, 0.5]


def test_what_an_exercise_uses_is_a_list_of_names_of_the_package(tmp_path):
    exercise = "tiny.1:\n  uses: planted_curves\n  checks: [{call: answer(1), expect: '1', hint: One.}]\n"
    (tmp_path / "00_tiny.yml").write_text(exercise)
    with pytest.raises(K2CError, match=r"tiny\.1 uses is 'planted_curves'.*k2c\.training\.planted_curves"):
        load_solutions(tmp_path)


@pytest.mark.parametrize(
    ("answer", "expect"),
    [
        (torch.tensor([1.5, 2.5], requires_grad=True), "[1.5, 2.5]"),
        (torch.tensor(3), "3"),
        ([torch.tensor(1.0), 0.5], "[1, 0.5]"),
        (np.array([[1, 2]]), "[[1, 2]]"),
        (np.bool_(True), "True"),
        ((1, np.float32(0.5)), "[1, 0.5]"),
        ("text", "'text'"),
    ],
)
def test_an_answer_is_judged_the_same_after_its_way_out_of_a_students_process(answer, expect):
    cases = [{"call": "answer", "expect": expect, "hint": "No."}]
    sent = json.loads(answers_as_json(["answer"], lambda: answer))
    assert judge(cases, [Answer(**one) for one in sent]) == judge(cases, answers(["answer"], answer))


def test_where_there_are_no_solutions_the_grader_judges(tiny_course, capsys):
    (tiny_course / "course/solutions/00_tiny.yml").unlink()
    (tiny_course / "course/solutions").rmdir()
    k2c.check("tiny.1", lambda a, b: 3)
    assert capsys.readouterr().out == "tiny.1: judged by the grader\n"

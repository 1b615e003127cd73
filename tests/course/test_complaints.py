"""A wrong answer is told what it gave and what that usually means, before the case's hint."""

import numpy as np
import pytest
import torch

import k2c
from k2c.course.exercises import answers, judge


def complaint(answer, call, expect):
    """Return what an answer is told whose one case is that call."""
    case = {"call": call, "expect": expect, "hint": "The hint."}
    verdict = judge([case], answers([call], answer))
    assert (verdict.status, verdict.hint) == ("wrong", "The hint.")
    return verdict.complaint


def add(a, b):
    return a + b


def prints(a, b):
    print(a + b)


def nothing(a, b):
    a + b


def misspelt(a, b):
    return a + c  # noqa: F821


def one_parameter(a):
    return a


def calls_wrongly(a, b):
    return one_parameter(a, b)


def uses_and(a, b):
    return (a > 0) and (b > 0)


def multiplies(a, b):
    return a @ b


@pytest.mark.parametrize(
    ("answer", "call", "meaning"),
    [
        (
            prints,
            "answer(1, 2)",
            "prints(1, 2) gave None, expected 3. It printed something and returned nothing",
        ),
        (nothing, "answer(1, 2)", "It returned nothing: a function gives back what stands after return."),
        (add, "answer", "That is a function, not what it gives"),
        (misspelt, "answer(1, 2)", "Python does not know c here"),
        (one_parameter, "answer(1, 2)", "The check calls it as the exercise's first line has it"),
        (calls_wrongly, "answer(1, 2)", "one_parameter is called with the wrong arguments"),
        (uses_and, "answer(np.ones(2), np.ones(2))", "Write `&`, `|` and `~`"),
        (uses_and, "answer(torch.ones(2), torch.ones(2))", "Write `&`, `|` and `~`"),
        (add, "answer(np.ones(2), np.ones(3))", "The shapes do not fit. Print `.shape`"),
        (multiplies, "answer(np.ones((2, 3)), np.ones((2, 3)))", "The shapes do not fit."),
        (add, "answer(torch.ones(2), torch.ones(3))", "The shapes do not fit."),
        (multiplies, "answer(torch.ones(2, 3), torch.ones(2, 3))", "The shapes do not fit."),
        (multiplies, "answer(torch.ones(2, 2), torch.ones(2, 2).double())", "Print `.dtype` of each"),
        (lambda a: a, "answer('three')", "One is text and the other is not"),
    ],
)
def test_what_an_error_or_a_missing_value_means(answer, call, meaning):
    assert meaning in complaint(answer, call, "3")


@pytest.mark.parametrize(
    ("gives", "expect", "meaning"),
    [
        ([[1.0], [2.0]], "[1, 2]", "The numbers are right, but their shape is (2, 1) instead of (2,)."),
        ([1.0, 2.0, 3.0], "[1, 2]", "Its shape is (3,) instead of (2,)."),
        ([[1.0, 3.0], [2.0, 4.0]], "[[1, 2], [3, 4]]", "Rows and columns are exchanged."),
        ([0.3333, 0.6667], "[1 / 3, 2 / 3]", "It is right, but rounded to 4 digits"),
        ([1.0, 2.0], "[1.9, 2.7]", "What stands behind the decimal point is lost"),
        ([-1.5, 2.5], "[1.5, -2.5]", "The sign is the other way round."),
        ([np.inf, 1.0], "[1, 1]", "It is not finite"),
    ],
)
@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_how_numbers_differ(kind, gives, expect, meaning):
    assert meaning in complaint(kind(gives), "answer", expect)


def test_numbers_are_shown_with_four_digits_unless_they_differ_behind_them():
    assert "gave 0.1235, expected 0.3333." in complaint(0.123456789, "answer", "1 / 3")
    assert "gave [0.5, 0.1235]," in complaint(np.array([0.5, 0.123456789]), "answer", "[1, 2]")
    assert "gave 0.33341, expected 0.33344." in complaint(0.33341, "answer", "0.33344")


def test_a_difference_that_means_nothing_in_particular_has_the_hint_alone():
    assert complaint(5, "answer", "3") == "answer gave 5, expected 3."


def test_what_an_answer_prints_is_printed(tiny_course, capsys):
    k2c.check("tiny.1", prints)
    out = capsys.readouterr().out
    assert out.startswith("3\n")
    assert "tiny.1: not yet. prints(1, 2) gave None, expected 3. It printed something" in out

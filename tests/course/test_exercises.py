"""An exercise is right, wrong with a hint, or not attempted yet; it never stops a notebook."""

import pytest

import k2c
from k2c.course.exercises import answers, load_solutions
from k2c.errors import K2CError

pytestmark = pytest.mark.usefixtures("tiny_course")


def test_a_right_answer(capsys):
    k2c.check("tiny.1", lambda a, b: a + b)
    assert capsys.readouterr().out == "tiny.1: right, 2 of 2 cases\n"


@pytest.mark.parametrize("answer", [..., lambda a, b: ..., lambda a, b: [... for _ in range(a)]])
def test_a_hole_is_not_attempted(answer, capsys):
    k2c.check("tiny.1", answer)
    assert capsys.readouterr().out == "tiny.1: not attempted yet\n"


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

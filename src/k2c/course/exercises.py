"""Exercises: a student's answer against the cases in `course/solutions`, with a hint at the first that fails."""

import ast
import builtins
import importlib
import inspect
import io
import json
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from k2c._system.outputs import publish
from k2c._system.paths import project_root
from k2c._system.plain_file import read_json
from k2c.course.complaints import differs, plain_value, short, stopped, to_plain
from k2c.course.exercise_log import note, outcomes, solved_of
from k2c.errors import K2CError, unknown

ANSWERS_MIME = "application/vnd.k2c.answers+json"


@dataclass(frozen=True)
class Answer:
    """What an answer gave for one case: the call as a student reads it, the value or the error, whether it printed."""

    shown: str
    value: Any = None
    error: str = ""
    printed: bool = False


@dataclass(frozen=True)
class Verdict:
    """`right`, `wrong` or `not attempted`; a wrong one with what happened in its first failing case, and the hint."""

    status: str
    complaint: str = ""
    hint: str = ""


def check(exercise: str, answer: Any) -> None:
    """Say whether an answer is right, not attempted yet, or what its first failing case is.

    Parameters
    ----------
    exercise
        The exercise's name, `spam.1`: an entry of a file in `course/solutions`.
    answer
        What the exercise asks for: a function, or a value. One that still holds `...` is not attempted.

    A student's kit has `course/checks` instead: the public cases with what is expected, without solutions. Where there
    is neither, as inside `k2c grade`, it says that the answer is judged later.

    Raises
    ------
    K2CError
        When there is no such exercise.
    """
    if _checks_folder() is None:
        publish(f"{exercise}: judged by the grader", {})
        return
    lecture = lecture_of(exercise)
    solved = load_solutions()[lecture]
    cases, uses = solved[exercise]["checks"], solved[exercise].get("uses", ())
    verdict = judge(cases, answers([case["call"] for case in cases], answer, uses))
    words = {
        "right": f"right, {len(cases)} of {len(cases)} cases",
        "wrong": f"not yet. {verdict.complaint}\n  Hint: {verdict.hint}",
        "not attempted": "not attempted yet",
    }
    result = {"exercise": {"name": exercise, "status": verdict.status}}
    publish(f"{exercise}: {words[verdict.status]}", result)
    note(exercise, verdict.status)
    if verdict.status != "not attempted" and outcomes():
        print(solved_of(lecture, solved))


def answers(calls: Iterable[str], answer: Any, uses: Iterable[str] = ()) -> Iterator[Answer]:
    """Yield what an answer gives for each call, one at a time; nothing when it still holds `...`.

    Calls know numpy as `np`, `torch`, and what `uses` names with its module: `k2c.training.planted_curves`.
    """
    if _has_hole(answer):
        return
    used = {name.rpartition(".")[2]: resolve_name(name) for name in uses}
    calls = list(calls)
    names = namespace(*calls) | used | {"answer": answer}
    for call in calls:
        shown = call.replace("answer", str(getattr(answer, "__name__", "answer")))
        with _noticed_print() as printed:
            try:
                given = {"value": eval(call, names)}
            except Exception as error:
                given = {"error": f"{type(error).__name__}: {short(error, 300)}"}
        yield Answer(shown, printed=bool(printed), **given)


@contextmanager
def _noticed_print() -> Iterator[list[bool]]:
    """Notice whether something is printed, and let it be printed all the same."""
    noticed: list[bool] = []

    class Noticing(io.TextIOBase):
        def write(self, text: str) -> int:
            if text.strip():
                noticed[:] = [True]
            return real.write(text)

        def flush(self) -> None:
            real.flush()

    real = sys.stdout
    with redirect_stdout(Noticing()):
        yield noticed


def judge(cases: Sequence[Mapping[str, Any]], given: Iterable[Answer]) -> Verdict:
    """Compare what was given with what the cases expect, up to the first that fails.

    What was given is a student's: it is shown in one short line without control characters.
    """
    judged = 0
    for case, got in zip(cases, given, strict=False):
        expected = case["value"] if "value" in case else eval(case["expect"], namespace(case["expect"]))
        if got.error:
            return Verdict("wrong", stopped(got.shown, got.error), case["hint"])
        if not _same(got.value, expected):
            return Verdict("wrong", differs(got.shown, got.value, expected, got.printed), case["hint"])
        judged += 1
    return Verdict("right" if judged == len(cases) else "not attempted")


def print_answers(calls: Sequence[str], ask: Callable[[], Any], uses: Sequence[str] = ()) -> None:
    """Display, as JSON under `ANSWERS_MIME`, what the answer that `ask` returns gives: `k2c grade` judges it.

    Nothing that is expected comes near the student's process.
    """
    from IPython.display import display

    display({ANSWERS_MIME: answers_as_json(calls, ask, uses), "text/plain": ""}, raw=True)


def answers_as_json(calls: Sequence[str], ask: Callable[[], Any], uses: Sequence[str] = ()) -> str:
    """Return what the answer that `ask` returns gives for each call: a list of the fields of `Answer`.

    Arrays and tensors become lists; what JSON does not know, text.
    """
    try:
        given = [vars(answer) for answer in answers(calls, ask(), uses)]
    except Exception as error:  # the answer's name is not there
        given = [vars(Answer("the answer", error=f"{type(error).__name__}: {error}"))]
    return json.dumps(given, default=_as_json, skipkeys=True)


def lecture_of(exercise: str) -> str:
    """Return the lecture that an exercise belongs to."""
    lectures = {name: lecture for lecture, solved in load_solutions().items() for name in solved}
    if exercise not in lectures:
        raise K2CError(unknown("exercise", exercise, lectures))
    return lectures[exercise]


def load_solutions(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return every exercise by lecture and name, from the files in `course/solutions` (one per lecture).

    An exercise has a `solution` (code), `checks` (each with `call`, `expect` and `hint`), and `mistakes`: likely wrong
    answers (code), each with the `hint` that it gets. It may have `uses`: names in this package that its calls need;
    `points` (1 unless it says otherwise) and `weight`; and `hidden` checks with what they `need`: see `course.cases`.
    A kit without solutions has the same from `course/checks`: `checks` with a `value` each, and `uses`.
    """
    return _read_solutions(folder or _checks_folder() or project_root())


def _checks_folder() -> Path | None:
    folders = (project_root() / "course" / name for name in ("solutions", "checks"))
    return next((folder for folder in folders if folder.is_dir()), None)


@cache
def _read_solutions(folder: Path) -> dict[str, dict[str, Any]]:
    from k2c._system.yaml_file import read_yaml

    compiled = {file.stem: read_json(file) for file in sorted((folder).glob("*.json"))}
    return compiled or {file.stem: _checked(file, read_yaml(file)) for file in sorted(folder.glob("*.yml"))}


def _checked(file: Path, content: Any) -> dict[str, Any]:
    """Return the exercises of a file, each with its checks."""
    exercises = content if isinstance(content, dict) else {"(the file)": content}
    for name, entry in exercises.items():
        checks = entry.get("checks") if isinstance(entry, dict) else None
        cases = checks if isinstance(checks, list) else [None]
        if not all(isinstance(case, dict) and {"call", "expect", "hint"} <= {*case} for case in cases):
            raise K2CError(
                f"{file} is not a file of solutions: {name} needs checks, each with call, expect and hint."
            )
        for kind, start in (("uses", "k2c."), ("needs", "")):
            named = entry.get(kind, [])
            if not isinstance(named, list) or not all(str(one).startswith(start) for one in named):
                raise K2CError(
                    f"{file}: what {name} {kind} is {named!r}. Write a list of names with their modules, "
                    "such as [k2c.training.planted_curves]."
                )
        numbers = [entry.get(kind, 1) for kind in ("points", "weight")]
        if not all(isinstance(one, int | float) and 0 <= one <= 1000 for one in numbers):
            raise K2CError(f"{file}: points and weight of {name} are numbers from 0 to 1000, not {numbers}.")
    return dict(exercises)


def namespace(*code: str) -> dict[str, Any]:
    """Return the names that every call and every expectation knows; torch, slow to import, if the code has it."""
    import numpy as np

    names = {"__builtins__": builtins, "np": np}
    return names | {"torch": importlib.import_module("torch")} if "torch" in " ".join(code) else names


def _same(got: Any, expected: Any) -> bool:
    import numpy as np

    if isinstance(expected, str | bool | type(None)):
        return _equal(got, expected)
    try:
        left, right = np.asarray(to_plain(got), dtype=float), np.asarray(to_plain(expected), dtype=float)
    except Exception:  # no numbers, or an object that does as it likes
        return _equal(got, expected)
    return left.shape == right.shape and np.allclose(left, right, rtol=1e-5, atol=1e-7, equal_nan=True)


def _equal(got: Any, expected: Any) -> bool:
    try:
        return bool(plain_value(got) == plain_value(expected))  # JSON makes a list of a tuple
    except Exception:  # an array has no truth value
        return False


def _has_hole(answer: Any) -> bool:
    if answer is ...:
        return True
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError, ValueError):  # its source is gone, or begins in mid-expression
        return _code_has_hole(code)
    return _holes(tree)


def _holes(node: ast.AST) -> bool:
    """Tell whether code has `...` as a value; as an index, as in `x[..., 0]`, it is part of an answer."""
    match node:
        case ast.Constant():
            return node.value is ...
        case ast.FunctionDef(body=body) if all(_says_nothing(line) for line in body):
            return True
        case ast.Subscript(value=value, slice=index):
            entries = index.elts if isinstance(index, ast.Tuple) else [index]
            return _holes(value) or any(_holes(one) for one in entries if not isinstance(one, ast.Constant))
    return any(_holes(child) for child in ast.iter_child_nodes(node) if not _says_nothing(child))


def _says_nothing(node: ast.AST) -> bool:
    """Tell whether a line is `...`, a docstring or another lone constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _code_has_hole(code: types.CodeType) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return Ellipsis in code.co_consts or any(map(_code_has_hole, inner))


def _as_json(value: Any) -> Any:
    plain = to_plain(value)
    if plain is not value:  # a tensor
        return plain
    return value.tolist() if hasattr(value, "tolist") else str(value)

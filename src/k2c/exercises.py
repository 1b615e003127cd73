"""Exercises: a student's answer against the cases in `course/solutions`, with a hint at the first that fails."""

import builtins
import types
from functools import cache
from pathlib import Path
from typing import Any

from k2c.errors import K2CError, unknown
from k2c.paths import project_root
from k2c.results import publish


def check(exercise: str, answer: Any) -> None:
    """Say whether an answer is right, not attempted yet, or what its first failing case is.

    Parameters
    ----------
    exercise
        The exercise's name, `spam.1`: an entry of a file in `course/solutions`.
    answer
        What the exercise asks for: a function, or a value. One that still holds `...` is not attempted.

    Raises
    ------
    K2CError
        When there is no such exercise.
    """
    cases = load_exercise(exercise)["checks"]
    if _has_hole(answer):
        return publish(f"{exercise}: not attempted yet", _result(exercise, "not attempted"))
    for case in cases:
        complaint = _complaint(case, answer)
        if complaint:
            text = f"{exercise}: not yet. {complaint}\n  Hint: {case['hint']}"
            return publish(text, _result(exercise, "wrong"))
    return publish(f"{exercise}: right, {len(cases)} of {len(cases)} cases", _result(exercise, "right"))


def load_exercise(exercise: str) -> dict[str, Any]:
    """Return an exercise's entry: `solution` (code) and `checks` (each with `call`, `expect` and `hint`)."""
    exercises = {name: entry for solved in load_solutions().values() for name, entry in solved.items()}
    if exercise not in exercises:
        raise K2CError(unknown("exercise", exercise, exercises))
    return exercises[exercise]


@cache
def load_solutions(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return every exercise by lecture and name, from the files in `course/solutions` (one a lecture)."""
    import yaml

    folder = folder or project_root() / "course" / "solutions"
    files = sorted(folder.glob("*.yml"))
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}


def _complaint(case: dict[str, str], answer: Any) -> str | None:
    names = _namespace(answer)
    expected = eval(case["expect"], names)
    shown = case["call"].replace("answer", getattr(answer, "__name__", "answer"))
    try:
        got = eval(case["call"], names)
    except Exception as error:
        return f"{shown} stopped with {type(error).__name__}: {error}"
    return None if _same(got, expected) else f"{shown} gave {_short(got)}, expected {_short(expected)}."


def _namespace(answer: Any) -> dict[str, Any]:
    import numpy as np
    import torch

    return {"__builtins__": builtins, "answer": answer, "np": np, "torch": torch}


def _same(got: Any, expected: Any) -> bool:
    import numpy as np

    if isinstance(expected, str | bool | type(None)):
        return bool(got == expected)
    try:
        left, right = np.asarray(_to_plain(got), dtype=float), np.asarray(_to_plain(expected), dtype=float)
    except (TypeError, ValueError):
        return bool(got == expected)
    return left.shape == right.shape and np.allclose(left, right, rtol=1e-5, atol=1e-7, equal_nan=True)


def _to_plain(value: Any) -> Any:
    return value.detach().cpu().tolist() if hasattr(value, "detach") else value


def _has_hole(answer: Any) -> bool:
    if answer is ...:
        return True
    code = getattr(answer, "__code__", None)
    return code is not None and _code_has_hole(code)


def _code_has_hole(code: types.CodeType) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return Ellipsis in code.co_consts or any(map(_code_has_hole, inner))


def _short(value: Any, width: int = 80) -> str:
    text = " ".join(str(_to_plain(value)).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _result(exercise: str, status: str) -> dict[str, Any]:
    return {"exercise": {"name": exercise, "status": status}}

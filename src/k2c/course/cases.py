"""Cases of the checks: the public ones as values, for a kit without solutions, and hidden ones, drawn by the grader."""

import ast
import hashlib
import sys
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from k2c.course.complaints import plain_value
from k2c.course.exercises import load_solutions, namespace
from k2c.errors import K2CError

TIMES = 3  # cases that a hidden check draws unless it says how many


def public_cases(lecture: str) -> dict[str, dict[str, Any]]:
    """Return a lecture's exercises with what a student may know of them: calls, expected values and hints.

    Returns
    -------
    dict
        By exercise `checks` (each with `call`, `value`, `hint`) and `uses`; values are what JSON knows.
    """
    found = {}
    for name, entry in load_solutions()[lecture].items():
        checks = [
            {"call": case["call"], "value": _value(case), "hint": case["hint"]} for case in entry["checks"]
        ]
        found[name] = {"checks": checks, "uses": entry.get("uses", [])}
    return found


def hidden_cases(
    exercise: str, entry: Mapping[str, Any], seed: int, student: str = ""
) -> list[dict[str, Any]]:
    """Draw the cases that no student has seen; the reference solution says what is right.

    Parameters
    ----------
    exercise
        Its name.
    entry
        The exercise in `course/solutions`. Each of its `hidden` checks has `draw` (names, each with an expression
        that knows `rng`, `np`, `torch`, what the exercise `uses` and `needs`, and the names before it), a `call` with
        these names and a `hint`. It may have `times`, and `expect`, an expression that is used in place of the
        reference. `needs` names what the solution calls, with its module.
    seed
        Of the class.
    student
        What the cases are different for; empty when all get the same.

    Returns
    -------
    list of dict
        `call`, in which every name is replaced by what was drawn, `value` and `hint`.

    Raises
    ------
    K2CError
        When the course's own expressions fail.
    """
    drawn = []
    for index, hidden in enumerate(entry.get("hidden", ())):
        digest = hashlib.sha256(f"{exercise}\0{index}\0{student}".encode()).digest()
        for number in range(hidden.get("times", TIMES)):
            try:
                drawn.append(_drawn(entry, hidden, [seed, number, *digest[:8]]))
            except Exception as error:
                raise K2CError(
                    f"The hidden check {index + 1} of {exercise} cannot be drawn: {type(error).__name__}: {error}. "
                    "Look at its draw and call in course/solutions."
                ) from error
    return drawn


def _drawn(entry: Mapping[str, Any], hidden: Mapping[str, Any], seed: list[int]) -> dict[str, Any]:
    import numpy as np

    known = namespace(str(hidden), entry["solution"]) | {
        name.rpartition(".")[2]: resolve_name(name)
        for name in [*entry.get("needs", ()), *entry.get("uses", ())]
    }
    names, values = known | {"rng": np.random.default_rng(seed)}, {}
    for name, expression in hidden["draw"].items():
        names[name] = values[name] = eval(str(expression), names)
    call = ast.unparse(_Filled(values).visit(ast.parse(hidden["call"], mode="eval")))
    expect = hidden.get("expect")
    value = eval(str(expect), names) if expect is not None else _by_reference(entry["solution"], call, known)
    return {"call": call, "value": plain_value(value), "hint": hidden["hint"]}


def _by_reference(solution: str, call: str, known: Mapping[str, Any]) -> Any:
    """Return what the solution gives for a call; nothing of it comes near a student's process."""
    names = dict(known)
    exec(solution, names)
    first = next(node for node in ast.parse(solution).body if isinstance(node, ast.FunctionDef))
    return eval(call, names | {"answer": names[first.name]})


class _Filled(ast.NodeTransformer):
    """Puts values in the place of names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.values:
            return node
        return ast.parse(_literal(self.values[node.id]), mode="eval").body


def _literal(value: Any) -> str:
    """Return Python that makes a value again."""
    import numpy as np

    if (torch := sys.modules.get("torch")) and isinstance(value, torch.Tensor):
        return f"torch.tensor({value.tolist()!r}, dtype={value.dtype})"
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r}, dtype=np.{value.dtype.name})".replace("np.bool)", "bool)")
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_literal, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
    return repr(value.item() if isinstance(value, np.generic) else value)


def _value(case: Mapping[str, Any]) -> Any:
    return case["value"] if "value" in case else plain_value(eval(case["expect"], namespace(case["expect"])))

"""What a wrong answer is told: what it gave, and what that usually means. The case's own hint comes after it."""

import re
from typing import Any

from k2c._system.printable import printable

_SIGNIFICANT = 4  # digits of a number that a complaint shows
_MEANINGS = (  # what an error's message matches, and what it usually means
    (
        r"^NameError: name '(?P<name>\w+)' is not defined",
        "Python does not know {name} here: compare its spelling with the line that assigns it, and run that cell.",
    ),
    (
        r"^UnboundLocalError: .*'(?P<name>\w+)'",
        "{name} is read before the function has assigned it: give it a value first.",
    ),
    (
        r"truth value of an array|Boolean value of Tensor|truth value of a (Series|DataFrame)",
        "An array has no single truth value, and `and`, `or`, `not` and `if` ask for one. Write `&`, `|` and `~` with "
        "parentheses around each comparison, or ask `.any()` or `.all()`.",
    ),
    (
        r"could not be broadcast|mismatch in its core dimension|must match the size of tensor|cannot be multiplied"
        r"|not aligned|inhomogeneous shape|array dimensions .* must match|[Ss]izes of tensors must match"
        r"|shape '.*' is invalid|cannot reshape",
        "The shapes do not fit. Print `.shape` of each array in the line that stopped.",
    ),
    (
        r"expected scalar type|must have the same dtype|same data ?type|Cannot cast ufunc|expected m1 and m2"
        r"|must be long, |can't be cast to|no loop matching the specified signature|arrays used as indices",
        "The arrays have different types of numbers. Print `.dtype` of each, and convert one: `.float()` or `.long()` "
        "for a tensor, `.astype(float)` for an array.",
    ),
    (
        r"^TypeError: .*(can only concatenate|unsupported operand type|not supported between).*('str'|str )",
        "Text and numbers meet: convert text with `float(...)`.",
    ),
    (
        r"^TypeError: .*unsupported operand type.*NoneType",
        "One of the values is None: a function that it calls returns nothing, or a name holds none.",
    ),
    (
        r"^IndexError: .*out of (bounds|range)",
        "An index is beyond the end: the first has the number 0, the last that of the length minus 1.",
    ),
)
_ARGUMENTS = (
    r"^TypeError: (?:[\w.<>]+\.)?(?P<name>[\w<>]+)\(\) (takes .* given|missing \d+ required"
    r"|got an unexpected keyword|got multiple values)"
)


def stopped(call: str, error: str) -> str:
    """Return the sentences for an answer that raised an error.

    Parameters
    ----------
    call
        What was called, as the student reads it.
    error
        The name of the error's class and its message.
    """
    return " ".join(
        filter(None, [f"{short(call, 200)} stopped with {short(error, 300)}.", _meaning(call, error)])
    )


def _meaning(call: str, error: str) -> str:
    if found := re.search(_ARGUMENTS, error):
        if call.startswith(f"{found['name']}("):
            return "The check calls it as the exercise's first line has it: put that line's parameters back."
        return f"{short(found['name'])} is called with the wrong arguments: `help` shows which it takes."
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, error):
            return meaning.format(**found.groupdict())
    return ""


def differs(call: str, value: Any, expected: Any, printed: bool = False) -> str:
    """Return the sentences for an answer that gave something else than what is expected.

    Parameters
    ----------
    call
        What was called, as the student reads it.
    value
        What it gave.
    expected
        What is right.
    printed
        Whether something was printed meanwhile.
    """
    gave, right = short(_rounded(value)), short(_rounded(expected))
    if gave == right:  # they differ in digits that are not shown
        gave, right = short(value), short(expected)
    return " ".join(
        filter(
            None,
            [f"{short(call, 200)} gave {gave}, expected {right}.", _difference(value, expected, printed)],
        )
    )


def _difference(value: Any, expected: Any, printed: bool) -> str:
    if expected is None:
        return ""
    if value is None:
        shown = "It printed something and returned nothing: print shows a value, return gives it back."
        return shown if printed else "It returned nothing: a function gives back what stands after return."
    if callable(value):
        return "That is a function, not what it gives: call it, with parentheses."
    if isinstance(expected, str) or isinstance(value, str):
        kinds = {type(value), type(expected)}
        return (
            ""
            if kinds == {str}
            else "One is text and the other is not: convert it, as with float(...) or str(...)."
        )
    left, right = _numbers(value), _numbers(expected)
    return "" if left is None or right is None else _difference_of_numbers(left, right)


def _difference_of_numbers(left: Any, right: Any) -> str:
    import numpy as np

    def alike(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
        return bool(np.allclose(one, other, rtol=tolerance, atol=1e-7, equal_nan=True))

    if left.shape != right.shape:
        same = left.size == right.size and alike(left.ravel(), right.ravel())
        but = "The numbers are right, but their shape is" if same else "Its shape is"
        return f"{but} {left.shape} instead of {right.shape}."
    if left.ndim == 2 and left.shape[0] == left.shape[1] and alike(left.T, right):
        return "Rows and columns are exchanged."
    if not np.isfinite(left).all() and np.isfinite(right).all():
        return "It is not finite: look for a division by zero, or the logarithm of zero."
    if not np.isfinite(left).all():
        return ""
    for digits in range(5):
        if not alike(right, np.round(right, digits)) and alike(left, np.round(right, digits)):
            return f"It is right, but rounded to {digits} digits: give it back as it is."
    if alike(left, np.trunc(right)):
        return "What stands behind the decimal point is lost: look for //, int(...) or an array of whole numbers."
    return "The sign is the other way round." if alike(left, -right) else ""


def _numbers(value: Any) -> Any:
    import numpy as np

    try:
        return np.asarray(to_plain(value), dtype=float)
    except Exception:  # no numbers, or an object that does as it likes
        return None


def to_plain(value: Any) -> Any:
    """Return a tensor's numbers as lists, and anything else as it is."""
    return value.detach().cpu().tolist() if hasattr(value, "detach") else value


def plain_value(value: Any) -> Any:
    """Return a value as JSON knows it: arrays and tensors as lists, NumPy's numbers as Python's."""
    plain = to_plain(value)
    if hasattr(plain, "tolist"):
        return plain.tolist()
    if isinstance(plain, list | tuple):
        return [plain_value(one) for one in plain]
    if isinstance(plain, dict):
        return {key: plain_value(one) for key, one in plain.items()}
    return plain


def short(value: Any, width: int = 80) -> str:
    """Return a value in one line without control characters, cut where it is longer than the width."""
    try:
        text = str(to_plain(value))
    except Exception:
        text = f"a {type(value).__name__} that cannot be shown"
    text = printable(" ".join(text[: 100 * width].split()))
    return text if len(text) <= width else text[: width - 1] + "…"


def _rounded(value: Any) -> Any:
    """Return a value with the digits of its numbers that one reads."""
    try:
        plain = to_plain(value)
        if hasattr(plain, "tolist"):
            plain = plain.tolist()
        if isinstance(plain, float):
            return float(f"{plain:.{_SIGNIFICANT}g}")
        if type(plain) in (list, tuple) and len(plain) < 1000:
            return type(plain)(map(_rounded, plain))
    except Exception:  # an object that does as it likes
        return value
    return plain

"""As much of C's syntax as rewriting a kernel needs: brackets, arguments, comments, lines."""

import re
from collections.abc import Iterator

from k2c.errors import K2CError

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def without_comments(text: str) -> str:
    """Return the text with comments as spaces, so that positions and lines stay."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def line_of(code: str, position: int) -> int:
    """Return the line of a position, from 1."""
    return code.count("\n", 0, position) + 1


def match_bracket(code: str, opening: int) -> int:
    """Return the position of the bracket that closes the one at `opening`.

    Raises
    ------
    K2CError
        When there is none.
    """
    opened, closed, depth = code[opening], _PAIRS[code[opening]], 0
    for at in range(opening, len(code)):
        depth += (code[at] == opened) - (code[at] == closed)
        if depth == 0:
            return at
    raise K2CError(f"A {opened} in line {line_of(code, opening)} is never closed.")


def end_of_argument(code: str, at: int) -> int:
    """Return the position of the comma or bracket that ends the argument at `at`."""
    depth = 0
    while depth or code[at] not in ",)":
        depth += (code[at] in "([") - (code[at] in ")]")
        at += 1
    return at


def arguments(code: str, opening: int) -> Iterator[tuple[int, int]]:
    """Yield where each argument begins and ends, from the bracket that opens the list."""
    start, last = opening + 1, match_bracket(code, opening)
    while code[start:last].strip():
        end = end_of_argument(code, start)
        yield start, end
        start = end + 1

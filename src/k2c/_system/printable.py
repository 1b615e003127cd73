"""Text from outside, made safe for a terminal, a page and a spreadsheet."""

import re
import unicodedata
from typing import Any

# Control characters move a terminal's cursor and change its title; format characters turn the direction of
# reading round or hide letters; surrogates cannot be encoded. Zs, such as a no-break space, are ordinary text.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_DOUBTFUL = re.compile(r"[^\x20-\x7e]")
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[PX^_][^\x1b\n]*\x1b\\|[ -/]*[0-Z\\-~])"
)
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would compute


def printable(text: object, *, lines: bool = False) -> str:
    r"""Return text in which what cannot be seen is written out as an escape.

    Parameters
    ----------
    text
        A file name, a label, an error: anything that somebody else has written.
    lines
        Keep line feeds and tabs as they are.

    >>> printable("photo\x1b]0;title\x07.png")
    'photo\\x1b]0;title\\x07.png'
    """
    kept = "\n\t" if lines else ""
    return _DOUBTFUL.sub(lambda found: found[0] if found[0] in kept else _visible(found[0]), str(text))


def plain(text: object, *, lines: bool = False) -> str:
    r"""Return what a terminal would show of a program's output: without colours and other commands to the terminal.

    Parameters
    ----------
    text
        What a cell or a process printed. Other characters that cannot be seen are written out, as by `printable`.
    lines
        Keep line feeds and tabs; a carriage return, which progress bars use, then begins a line.

    >>> plain("\x1b[31mred\x1b[0m\x07")
    'red\\x07'
    """
    text = _ESCAPES.sub("", str(text))
    return printable(text.replace("\r\n", "\n").replace("\r", "\n") if lines else text, lines=lines)


def spreadsheet_cell(value: Any) -> Any:
    r"""Return a value for a CSV file: text with an apostrophe before what a spreadsheet would compute.

    Control characters become escapes, line ends and tabs spaces; what is no text stays as it is.

    >>> [spreadsheet_cell(value) for value in ("=HYPERLINK(A1)", "\t=1", "a\x1b[2J.png", -1)]
    ["'=HYPERLINK(A1)", "' =1", 'a\\x1b[2J.png', -1]
    """
    if not isinstance(value, str):
        return value
    text = printable(re.sub(r"[\t\r\n\v\f]+", " ", value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _visible(letter: str) -> str:
    # The joiner of emoji and of Indic letters is seen.
    if unicodedata.category(letter) not in _UNSAFE or letter == "\u200d":
        return letter
    return letter.encode("unicode_escape").decode("ascii")

"""Text from outside, made safe for a terminal, a table and a page."""

import unicodedata

# Control characters move a terminal's cursor and change its title; format characters turn the direction of
# reading round or hide letters; surrogates cannot be encoded. Zs, such as a no-break space, are ordinary text.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


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
    return "".join(letter if letter in kept else _visible(letter) for letter in str(text))


def _visible(letter: str) -> str:
    if (
        unicodedata.category(letter) not in _UNSAFE or letter == "\u200d"
    ):  # the joiner of emoji and of Indic letters
        return letter
    return letter.encode("unicode_escape").decode("ascii")

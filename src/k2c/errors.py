"""Errors that a user of the kit can cause: sentences, not tracebacks."""

import difflib
from collections.abc import Iterable


class K2CError(Exception):
    """What was wrong, what is allowed and what to do next, in a sentence or two.

    The command line prints the message and exits with status 2; a notebook shows it as the last line of the cell.
    """


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Return the sentences for a name that does not exist: the nearest one that does, and all of them.

    >>> unknown("lecture", "01_span", ["01_spam", "02_lenet"])
    "There is no lecture '01_span'; did you mean '01_spam'? There are: 01_spam, 02_lenet."
    """
    names = list(known)
    word = word if len(word) <= 80 else f"{word[:79]}…"
    close = difflib.get_close_matches(word, names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"There is no {what} {word!r}{meant} There are: {', '.join(names)}."

"""Paths that a user types: where they lead, and what is there when they lead nowhere."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from k2c._system.printable import printable
from k2c.errors import K2CError

NAMED = 8  # names that a sentence gives


def find_own(name: str, text: str, bases: Sequence[Path], choices: Sequence[str] = ()) -> Path:
    """Return the absolute path of a file or folder that a user named.

    Parameters
    ----------
    name
        What it was given for, for the sentence: `"source"`.
    text
        What was typed; `~` is the user's home.
    bases
        The folders that a relative path may start from, in this order; the user knows the last one best.
    choices
        Words that would have been right, too, for the sentence.

    Raises
    ------
    K2CError
        When there is nothing, with what there is.
    """
    try:
        typed = Path(text).expanduser()
    except RuntimeError as error:
        raise K2CError(
            f"{name} is '{printable(text)}', but the home folder in it is not known. Write the whole path."
        ) from error
    tried = [base.absolute() / typed for base in bases]
    for path in tried:
        if _is_there(path):
            return path.resolve()
    raise K2CError(_nothing_there(name, text, tried[-1], choices))


def _nothing_there(name: str, text: str, path: Path, choices: Sequence[str]) -> str:
    parent = next(
        (folder for folder in path.parents if _is_there(folder) and folder.is_dir()), Path(path.anchor)
    )
    present = _names(parent)
    missing = path.relative_to(parent).parts[0]  # the first part of the path that is not there
    close = difflib.get_close_matches(missing, [*present, *(choices if parent == path.parent else ())], n=1)
    meant = f"; did you mean '{printable(close[0])}'?" if close else "."
    shown = ", ".join(printable(entry) for entry in present[:NAMED])
    if len(present) > NAMED:
        shown += f", and {len(present) - NAMED:,} more"
    sentences = [f"{name} is '{printable(text)}', but there is no file or folder {printable(path)}{meant}"]
    if parent == path.parent and path.name in present:
        sentences = [f"{name} is '{printable(text)}', a link to something that is not there."]
    sentences.append(
        f"In {printable(parent)} there is: {shown}." if present else f"{printable(parent)} shows no file."
    )
    if choices:
        sentences.append(f"{name} may also be {' or '.join(choices)}.")
    return " ".join(sentences)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file system takes, a folder that may not be entered
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []

"""What the operating system refuses, in sentences: which path, why, and what to do."""

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from k2c._system.paths import cache_dir, student_dir
from k2c.errors import K2CError

_FORBIDDEN = "this user has no permission there"
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of disk space is used up",
    errno.EFBIG: "the file grows larger than is allowed here",
}
_REASONS = _FULL | {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a file is where a folder is needed",
    errno.EEXIST: "a file is where a folder is needed",
    errno.EISDIR: "a folder is where a file is needed",
    errno.ENOTEMPTY: "the folder holds something else",
    errno.ENOENT: "it does not exist, or no longer",
    errno.ELOOP: "its links lead back to themselves",
    errno.EINVAL: "the file system does not allow such a name",
    errno.EIO: "the disk fails to read or write it",
    errno.ESTALE: "the file server has lost it",
}
_LARGE = 1 << 20  # bytes; a disk with less is called full


def explain(error: OSError, words: Sequence[str]) -> str | None:
    """Return the sentences for an error about a path that is the user's to choose; None where it is about no such path.

    Parameters
    ----------
    error
        What was raised.
    words
        The words of the command line.
    """
    try:
        Path.cwd()
    except OSError:
        return (
            "The folder that you are in no longer exists. Go to another one with cd, and repeat the command."
        )
    try:
        tempfile.gettempdir()
    except OSError:
        return (
            "No folder for temporary files can be written. Set TMPDIR to a folder that you may write to and "
            "that has space."
        )
    if error.errno == errno.EMFILE:
        return "Too many files are open at a time. Allow more with: ulimit -n 4096"
    places = _places(words)
    files = [Path(name).absolute() for name in (error.filename, error.filename2) if isinstance(name, str)]
    if not files and error.errno in _FULL:
        advice = next(
            (f"{place}: {advice}" for place, advice in places if _is_full(place)), "Free some space."
        )
        return f"Nothing more can be written: {_FULL[error.errno]}. {advice}"
    if error.errno not in _REASONS:
        return None
    for file in files:
        for place, advice in places:
            if _concerns(place, file):
                return f"{file} cannot be used: {_REASONS[error.errno]}. {advice}"
    return None


def _places(words: Sequence[str]) -> list[tuple[Path, str]]:
    """Return the paths that a user has chosen, and how to choose another: those of the command line first."""
    named = []
    for before, word in zip(("", *words), words, strict=False):
        option, _, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if value and not value.startswith("-"):
            how = f"with {option}" if option.startswith("--") else f"instead of {value}"
            named.append((Path(value).absolute(), f"Name another one {how}."))
    # The longest first: what is said of the folder itself is better than what is said of the folder around it.
    named.sort(key=lambda entry: -len(entry[0].parts))
    return [*named, *_folders_of_the_user()]


def _folders_of_the_user() -> list[tuple[Path, str]]:
    found = []
    try:
        found.append((cache_dir(), "Set K2C_DATA to a folder of yours, for downloaded data."))
        if student := student_dir():
            found.append((student, "Set K2C_STUDENT to a folder of yours, or to off."))
    except K2CError:
        pass
    if home := os.environ.get("K2C_HOME"):
        found.append((Path(home), "Set K2C_HOME to a copy of the course that is yours."))
    found.append((Path.cwd(), "Work in a folder that you may write to, or name one with --out."))
    found.append((Path(tempfile.gettempdir()), "Set TMPDIR to a folder that you may write to."))
    return [(folder.absolute(), advice) for folder, advice in found]


def _concerns(place: Path, file: Path) -> bool:
    """Tell whether a file is a place, is in it or above it, or is the temporary file beside it."""
    beside = file.parent == place.parent and file.name.startswith(f".{place.name}.")
    return beside or file.is_relative_to(place) or place.is_relative_to(file)


def _is_full(place: Path) -> bool:
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free < _LARGE

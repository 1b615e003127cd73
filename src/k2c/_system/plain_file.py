"""Small files, read as a whole: up to a largest size, and only ordinary files (a pipe would be waited for)."""

import codecs
import json
import stat
from pathlib import Path
from typing import Any

from k2c._system.printable import printable
from k2c.errors import K2CError

MOST_BYTES = 2_000_000  # of a file that a person writes
MOST_JSON = 100_000_000  # of one that a program writes: the plan of 100,000 runs has 50 MB
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnreadableError(K2CError, ValueError):
    """A file is there, and what it holds cannot be read; the message names it, and where possible the line."""


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it is a folder or a pipe, is too large, or is no text.
    """
    content = read_bytes(path, most)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableError(
            f"{printable(path)} is not UTF-8 text (line {line}, byte 0x{content[error.start]:02x}). "
            "Save it as UTF-8 in your editor."
        ) from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it holds anything else than JSON.
    """
    text = read_text(path, MOST_JSON)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UnreadableError(f"{printable(path)} is not valid JSON: {reason}.") from error


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it is a folder or a pipe, or is too large.
    """
    # Opening a pipe would wait for its other end.
    kind = path.stat()
    if not stat.S_ISREG(kind.st_mode):
        what = "a folder" if stat.S_ISDIR(kind.st_mode) else "no ordinary file"
        raise UnreadableError(f"{printable(path)} is {what}. Name a file.")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        size = max(kind.st_size, len(content))
        raise UnreadableError(
            f"{printable(path)} has {size / 1e6:,.1f} MB, and {most / 1e6:,.0f} MB are the most for such a file."
        )
    return content

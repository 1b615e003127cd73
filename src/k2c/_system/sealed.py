"""Files with a checksum: damage is found before the content is used.

A seal is one line of fixed length after the content. Readers of zip files (torch) and of `.npy` ignore it. In a JSON
file, which stays plain JSON, the SHA-256 of everything else stands under the key `sha256`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from k2c._system.plain_file import UnreadableError, read_json
from k2c._system.printable import printable

Buffer: TypeAlias = bytes | memoryview

_MAGIC = b"\n# k2c sealed: "
_KIND, _SHA256 = 32, b" sha256 "
_good: dict[
    tuple[Path, str], tuple[int, int, int]
] = {}  # files in which this process found no problem, as they were then
_KEY = "sha256"

SEAL_BYTES = len(_MAGIC) + _KIND + len(_SHA256) + 64 + 1


def seal(content: Buffer, kind: str) -> bytes:
    """Return the line that goes behind the content.

    Parameters
    ----------
    content
        All bytes before the seal.
    kind
        What the file holds and in which format, `"checkpoint 2"`: at most 32 ASCII characters.
    """
    head = _MAGIC + kind.encode("ascii").ljust(_KIND) + _SHA256
    if len(kind) > _KIND:
        raise ValueError(f"{kind!r} is longer than {_KIND} characters")
    digest = hashlib.sha256(content)
    digest.update(head)  # so that damage of the kind is found too
    return head + digest.hexdigest().encode() + b"\n"


def problem_of(file: Buffer, kind: str) -> str | None:
    """Say what is wrong with a sealed file, as the second half of a sentence; None when nothing is.

    Parameters
    ----------
    file
        All of its bytes.
    kind
        What it must hold.
    """
    end = len(file) - SEAL_BYTES
    found = bytes(file[max(end, 0) :])
    if end < 0 or not found.startswith(_MAGIC):
        return (
            "it has no checksum at its end, so it is cut short, something else, or of an older version of k2c"
        )
    said = found[len(_MAGIC) : len(_MAGIC) + _KIND]
    try:
        expected = seal(file[:end], said.decode("ascii"))
    except UnicodeDecodeError:
        return "the line with its checksum is damaged"
    if found != expected:
        return f"its SHA-256 is {_digest(expected)}..., and {_digest(found)}... was written"
    if (holds := said.decode().rstrip()) != kind:
        return f"it holds '{holds}', and this version of k2c reads '{kind}'"
    return None


def _digest(line: bytes) -> str:
    return line[-65:-53].decode("ascii", "replace")


def look_once(file: Path, problem: Callable[[Path], str | None], known: str = "") -> str | None:
    """Return what `problem` finds in a file; a file in which it found nothing is not read again until it changes.

    Parameters
    ----------
    file
        The file.
    problem
        Reads it, and says what is wrong with it.
    known
        What it is compared with, where that can change: its hash.

    Raises
    ------
    OSError
        When the file is not there or cannot be read.
    """
    state = file.stat()
    stamp = state.st_ino, state.st_size, state.st_mtime_ns
    if _good.get((file, known)) == stamp:
        return None
    found = problem(file)
    if found is None:
        _good[file, known] = stamp
    return found


def hash_problem(file: Path, beginning: str) -> str | None:
    """Say how the SHA-256 of a file differs from the one whose first digits are known; None when it does not."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found.startswith(beginning):
        return None
    return f"its SHA-256 begins with {found[: len(beginning)]}, and must begin with {beginning}"


def seal_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its checksum as the last entry.

    >>> seal_json({"status": "ok"})["sha256"][:8]
    'a29ee2b1'
    """
    rest = {key: value for key, value in content.items() if key != _KEY}
    return rest | {_KEY: _digest_of_json(rest)}


def unseal_json(content: Any, path: Path) -> dict[str, Any]:
    """Return what a JSON file holds without its checksum, when both fit.

    Parameters
    ----------
    content
        What was read.
    path
        The file, for the message.

    Raises
    ------
    UnreadableError
        When it is damaged.
    """
    if not isinstance(content, dict):
        raise UnreadableError(f"{printable(path)} is damaged: it holds no JSON object.")
    rest = {key: value for key, value in content.items() if key != _KEY}
    if content.get(_KEY) != _digest_of_json(rest):
        raise UnreadableError(f"{printable(path)} is damaged: its content and its SHA-256 do not fit.")
    return rest


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file without its checksum.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it is damaged, or no JSON at all.
    """
    return unseal_json(read_json(path), path)


def _digest_of_json(content: Mapping[str, Any]) -> str:
    as_read = json.loads(
        json.dumps(content)
    )  # a tuple is read as a list, a number that names an entry as text
    canonical = json.dumps(as_read, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()

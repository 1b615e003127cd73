"""JSON files with a checksum, which stay plain JSON: the SHA-256 of everything else stands under the key `sha256`."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2c._system.plain_file import MOST_JSON, UnreadableError, read_json
from k2c._system.printable import printable

_KEY = "sha256"
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def seal_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its checksum as the last entry.

    >>> seal_json({"status": "ok"})["sha256"][:8]
    'a29ee2b1'
    """
    rest = {key: value for key, value in content.items() if key != _KEY}
    return rest | {_KEY: _digest(rest)}


def unseal_json(content: Any, path: Path) -> dict[str, Any]:
    """Return what a JSON file holds without its checksum, when both fit; files of older versions have none.

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
    if _KEY not in content:
        # Nothing else on this level is 64 hexadecimal digits: it is a checksum whose name was damaged.
        if any(isinstance(value, str) and _DIGEST.fullmatch(value) for value in rest.values()):
            raise UnreadableError(f"{printable(path)} is damaged: the name of its checksum is not 'sha256'.")
        return rest
    if content[_KEY] != _digest(rest):
        raise UnreadableError(f"{printable(path)} is damaged: its content and its SHA-256 do not fit.")
    return rest


def read_sealed_json(path: Path, most: int = MOST_JSON) -> dict[str, Any]:
    """Return the content of a JSON file without its checksum.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it is damaged, or no JSON at all.
    """
    return unseal_json(read_json(path, most), path)


def _digest(content: Mapping[str, Any]) -> str:
    as_read = json.loads(
        json.dumps(content)
    )  # a tuple is read as a list, a number that names an entry as text
    canonical = json.dumps(as_read, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()

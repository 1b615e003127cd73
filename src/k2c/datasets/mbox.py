"""Many messages in one file: mbox, in all of its dialects."""

import re
from collections.abc import Iterator
from typing import BinaryIO

MAX_BYTES = 1 << 24  # kept of one message; the rest can only be attachments

# `From` with an address and a date, or (Thunderbird) with a dash or nothing. Prose hardly ever has a time and a year.
_SEPARATOR = re.compile(rb"From (\S.*\d\d?:\d\d.*\d{4}.*|- .*)?\r?\n?$")
_HEADER = re.compile(rb">?From |[!-9;-~]+:")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)
_LINE = 1 << 16


def is_mbox(head: bytes) -> bool:
    """Tell from the beginning of a file whether it is an mbox."""
    first, _, rest = head.lstrip(b"\xef\xbb\xbf\r\n").partition(b"\n")
    return bool(_SEPARATOR.match(first) and _HEADER.match(rest))


def messages_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the messages of an mbox one by one, without their separators.

    A separator stands after an empty line and before a header, so that a sentence which begins with `From` is none.
    `Content-Length` is followed where a separator or the end stands there. `>From` is `From` again.
    """
    size = file.seek(0, 2)
    file.seek(0)
    kept: list[bytes] | None = None
    after_blank, in_header, room = True, False, 0
    while line := file.readline(_LINE):
        if after_blank and _separates(line.lstrip(b"\xef\xbb\xbf"), file):
            if kept is not None:
                yield b"".join(kept)
            kept, after_blank, in_header, room = [], True, True, MAX_BYTES
            continue
        blank = line in (b"\n", b"\r\n")
        if kept is not None and room > 0:
            kept.append(line[1:] if line.lstrip(b">").startswith(b"From ") and line[:1] == b">" else line)
            room -= len(line)
        if blank and in_header and kept is not None:
            in_header = False
            if length := _length(b"".join(kept), file, size):
                kept.append(file.read(min(length, MAX_BYTES)))
                file.seek(length - len(kept[-1]), 1)
                blank, room = True, 0
        after_blank = blank
    if kept is not None:
        yield b"".join(kept)


def _separates(line: bytes, file: BinaryIO) -> bool:
    if not _SEPARATOR.match(line):
        return False
    here = file.tell()
    following = file.readline(_LINE)
    file.seek(here)
    return bool(_HEADER.match(following))


def _length(header: bytes, file: BinaryIO, size: int) -> int:
    """Return the length of a body from its header where it is true, else 0."""
    if not (named := _LENGTH.search(header)):
        return 0
    start = file.tell()
    end = start + int(named[1][:18])
    if end > size:
        return 0
    file.seek(end)
    following = file.readline(_LINE)
    while following in (b"\n", b"\r\n"):
        following = file.readline(_LINE)
    file.seek(start)
    return end - start if not following or _SEPARATOR.match(following) else 0

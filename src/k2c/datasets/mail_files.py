"""The messages of one file: a raw message, a message of Apple Mail, or an mbox in any of its dialects."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from k2c._system.load_report import LoadReport
from k2c.datasets.charsets import looks_like_utf16
from k2c.datasets.mail import Mail, parse_mail

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


# Bytes that no text has (escape begins a switch of alphabet in Japanese mail).
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")

_NO_MAIL = (
    (re.compile(r"cmds"), "a list of commands that came with the corpus"),
    (
        re.compile(r"(readme|licen[cs]e|copying|changelog|summary)(\.\w+)?", re.IGNORECASE),
        "a description of the corpus, not a message",
    ),
    (
        re.compile(
            r"index|.*\.(msf|idx|mailindex)|dovecot.*|maildirfolder|subscriptions|courierimap.*",
            re.IGNORECASE,
        ),
        "an index of a mail program or a corpus",
    ),
    (re.compile(r".*\.(msg|pst|ost|dbx)", re.IGNORECASE), "a format of Outlook: save it as .eml or mbox"),
    (re.compile(r".*\.(zip|gz|bz2|xz|tar|tgz|7z|rar)", re.IGNORECASE), "an archive: unpack it"),
    (
        re.compile(r".*\.(csv|tsv|json|jsonl|ini|db|sqlite|py|sh|pl|md5|sha\d+|ipynb)", re.IGNORECASE),
        "not mail by its name",
    ),
)


def no_mail(path: Path) -> str | None:
    """Return why a file is no mail by its name or its place, or None."""
    folder = path.parent
    if folder.name == "tmp" and (folder.parent / "cur").is_dir():
        return "not yet delivered (in tmp of a Maildir)"
    return next((reason for pattern, reason in _NO_MAIL if pattern.fullmatch(path.name)), None)


def read_messages(path: Path, name: str, report: LoadReport) -> Iterator[tuple[str, bytes, Mail]]:
    """Yield name, bytes and content of each message of a file; what cannot be read goes into the report.

    A message of an mbox is named by the file and its number: `spam.mbox, message 3`.
    """
    try:
        for place, raw in _raw_messages(path, name):
            if reason := _unreadable(raw):
                report.leave_out(place, reason)
                continue
            mail = parse_mail(raw)
            if mail.text or mail.attachments:
                yield place, raw, mail
            else:
                report.leave_out(place, "no text in it")
    except OSError as error:
        report.leave_out(name, f"cannot be read: {error.strerror}")


def _raw_messages(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as opened:
        file: BinaryIO = opened
        head = file.read(4096)
        if b"\r" in head and b"\n" not in head:  # Eudora's lines end like those of old Macs
            file = io.BytesIO(head.replace(b"\r", b"\n") + file.read().replace(b"\r", b"\n"))
            head = file.read(4096)
        if not is_mbox(head):
            file.seek(0)
            yield name, _from_apple(path, file.read(MAX_BYTES))
            return
        messages = messages_of(file)
        first = next(messages)
        second = next(messages, None)
        yield (name if second is None else f"{name}, message 1"), first
        if second is not None:
            yield f"{name}, message 2", second
        for number, raw in enumerate(messages, start=3):
            yield f"{name}, message {number}", raw


def _from_apple(path: Path, raw: bytes) -> bytes:
    """Cut what Apple Mail puts around a message: its length before, a property list after."""
    first, _, rest = raw.partition(b"\n")
    if path.suffix.lower() == ".emlx" and first.strip().isdigit():
        return rest[: int(first)]
    return raw


def _unreadable(raw: bytes) -> str | None:
    head = raw[:4096]
    if sum(byte in _CONTROL for byte in head) > len(head) / 20 and not looks_like_utf16(raw):
        return "binary data, not a message"
    return None if raw.strip() else "no text in it"

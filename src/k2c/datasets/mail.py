"""The words of a raw e-mail, whatever state it is in."""

import base64
import codecs
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import EmailPolicy
from functools import lru_cache
from html import unescape
from typing import Any

from k2c.datasets.charsets import decode, looks_like_utf16

MAX_CHARACTERS = 200_000  # of one part; what follows teaches no filter anything
MAX_HEADER = 2_000  # characters; the time to decode a header grows with the square of its length

_MAIL_HEADERS = {"from", "to", "subject", "date", "received", "content-type", "message-id", "mime-version"}
_OTHER_HEADERS = {
    "cc",
    "bcc",
    "reply-to",
    "sender",
    "return-path",
    "delivered-to",
    "in-reply-to",
    "references",
}
_META_CHARSET = re.compile(rb"<meta[^<>]+charset=[\"' ]*([\w-]+)", re.IGNORECASE)
_BLOCK = re.compile(r"/?(p|div|br|hr|tr|li|table|ul|ol|h[1-6]|blockquote)")
_TAG = re.compile(r"<!--|<(/?[a-z][a-z0-9]*|[!?])[^<>]*>", re.IGNORECASE)
_HIDDEN = {name: re.compile(rf"</{name}[^<>]*>", re.IGNORECASE) for name in ("script", "style", "title")}
_HIDDEN["!--"] = re.compile("-->")


class _ShortHeaders(EmailPolicy):
    """The default policy of today's `email`, for headers of a sensible length, each decoded once."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return _decoded_header(name, value[:MAX_HEADER])


@lru_cache(maxsize=1024)
def _decoded_header(name: str, value: str) -> Any:
    return policy.default.header_fetch_parse(name, value)


@dataclass
class Mail:
    """What a reader sees of a message.

    Attributes
    ----------
    text
        The subject as `Subject: ...` and an empty line, when there is one, then the text of every part.
    attachments
        One `type name` an attachment; their content is not decoded.
    """

    text: str
    attachments: list[str] = field(default_factory=list)


def parse_mail(raw: bytes) -> Mail:
    """Read a raw message or a file of plain text, in any encoding; damage costs only the damaged part.

    Parameters
    ----------
    raw
        The bytes of the file: an RFC 5322 message with or without MIME parts, or plain text without headers.

    Notes
    -----
    Of alternative parts the plain one is read, or the HTML one where there is no plain one. `decode` says how the
    charset is found. Of damaged base64 what can be decoded is read, and text that was appended to it.
    """
    if looks_like_utf16(raw):
        raw = decode(raw).encode("utf-8", "replace")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    # The modern policy decodes headers properly, and raises on some broken ones that the old one lets pass.
    for rules in (_ShortHeaders(), policy.compat32):
        try:
            message: Message = message_from_bytes(raw, policy=rules)
            names = {name.lower() for name in message}
            if not names & _MAIL_HEADERS:
                break
            return _subject_and_text(raw) if _has_only_a_subject(names) else _read(message)
        except Exception:
            continue
    return Mail(tidy(decode(raw)))


def html_to_text(html: str) -> str:
    """Return the visible text of an HTML document, a line for each block.

    The time is proportional to the length whatever the document is, which `html.parser` does not promise.
    """
    html = html[:MAX_CHARACTERS]
    pieces, position, unclosed = [], 0, set()
    for tag in _TAG.finditer(html):
        if tag.start() < position:  # inside of what is hidden
            continue
        pieces.append(_one_line(html[position : tag.start()]))
        position, name = tag.end(), (tag[1] or "!--").lower()
        if _BLOCK.fullmatch(name):
            pieces.append("\n")
        if name in _HIDDEN and name not in unclosed:
            if end := _HIDDEN[name].search(html, position):
                position = end.end()
            else:
                unclosed.add(name)  # shown as if the tag were not there, and not searched for again
    pieces.append(_one_line(html[position:]))
    return tidy("".join(pieces))


def _one_line(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(html))


def _read(message: Message) -> Mail:
    mail = Mail("")
    body = _text_of(message, mail.attachments)
    subject = _subject(message)
    mail.text = tidy(f"Subject: {subject}\n\n{body}" if subject else body)
    return mail


def _text_of(part: Message, attachments: list[str]) -> str:
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if part.get_content_subtype() == "alternative":
            return _best_of(children, attachments)
        return "\n".join(_text_of(child, attachments) for child in children)
    kind, name = part.get_content_type(), part.get_filename()
    if (
        part.get_content_maintype() not in ("text", "multipart")
        or part.get_content_disposition() == "attachment"
    ):
        attachments.append(f"{kind} {name}" if name else kind)
        return ""
    payload = _payload(part)
    label = part.get_content_charset()
    if kind == "text/html" and not label and (named := _META_CHARSET.search(payload[:4096])):
        label = named[1].decode()
    text = decode(payload, label)
    return html_to_text(text) if kind == "text/html" else text[:MAX_CHARACTERS]


def _subject(message: Message) -> str:
    """Decode the subject; not by `message["subject"]`, which knows no larger character set than the label names."""
    raw = next((str(value) for name, value in message.raw_items() if name.lower() == "subject"), "")
    raw = re.sub(r"\r?\n", "", raw[:MAX_HEADER])
    if not raw.isascii():  # bytes as they are: UTF-8 by today's rules, else most likely the body's charset
        given = raw.encode("utf-8", "surrogateescape")
        raw = decode(given, "utf-8" if _is_utf8(given) else _charset_of(message))
    try:
        pieces = decode_header(raw)
    except HeaderParseError:
        return raw.strip()
    return "".join(
        piece
        if isinstance(piece, str)
        else decode(piece, label)
        if label
        else piece.decode("raw-unicode-escape", "replace")
        for piece, label in pieces
    ).strip()


def _is_utf8(raw: bytes) -> bool:
    try:
        return bool(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _charset_of(message: Message) -> str | None:
    return next((label for part in message.walk() if (label := part.get_content_charset())), None)


def _has_only_a_subject(names: set[str]) -> bool:
    """Tell whether what stands below a lone subject, as in the files of Enron-Spam, only looks like headers."""
    others = names - {"subject"}
    return (
        bool(others)
        and len(others) < len(names)
        and not any(
            name in _MAIL_HEADERS or name in _OTHER_HEADERS or name.startswith(("x-", "content-", "list-"))
            for name in others
        )
    )


def _subject_and_text(raw: bytes) -> Mail:
    first, _, rest = decode(raw).strip().partition("\n")
    return Mail(tidy(f"{first}\n\n{rest}"[:MAX_CHARACTERS]))


def _payload(part: Message) -> bytes:
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
        return _from_base64(str(part.get_payload()).encode("utf-8", "surrogateescape"))
    payload = part.get_payload(decode=True)
    return (
        payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "surrogateescape")
    )


def _from_base64(body: bytes) -> bytes:
    """Decode what is there: bytes that are none of base64's are passed over, lines of plain text after it are kept."""
    lines = [line.strip() for line in body.splitlines()]
    end = next((number for number, line in enumerate(lines) if b" " in line), len(lines))
    end = next((number + 1 for number, line in enumerate(lines[:end]) if line.endswith(b"=")), end)
    data = re.sub(rb"[^A-Za-z0-9+/]", b"", b"".join(lines[:end]))
    data = data[: len(data) - (len(data) % 4 == 1)]
    decoded = base64.b64decode(data + b"=" * (-len(data) % 4))
    appended = b"\n".join(lines[end:]).strip()
    return decoded + b"\n" + appended if appended else decoded


def _best_of(alternatives: list[Message], attachments: list[str]) -> str:
    plain_first = sorted(alternatives, key=lambda part: part.get_content_type() != "text/plain")
    for part in plain_first:
        if (text := _text_of(part, attachments)).strip():
            return text
    return ""


def tidy(text: str) -> str:
    """Drop what cannot be written as UTF-8, and runs of blank space."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    lines = [re.sub(r"[^\S\n]+", " ", line).strip() for line in re.split(r"\r\n|\r|\n", text)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

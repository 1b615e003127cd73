"""The words of a raw e-mail, whatever state it is in."""

import codecs
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from email.policy import EmailPolicy
from functools import lru_cache
from html import unescape
from typing import Any

MAX_CHARACTERS = 200_000  # of one part; what follows teaches no filter anything
MAX_HEADER = 2_000  # characters; the time to decode a header grows with the square of its length

_MAIL_HEADERS = {"from", "to", "subject", "date", "received", "content-type", "message-id", "mime-version"}
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
    Of alternative parts the plain one is read, or the HTML one where there is no plain one. A wrong or
    missing charset falls back to UTF-8, then to Windows-1252.
    """
    raw = _without_byte_order_mark(raw)
    # The modern policy decodes headers properly, and raises on some broken ones that the old one lets pass.
    for rules in (_ShortHeaders(), policy.compat32):
        try:
            message: Message = message_from_bytes(raw, policy=rules)
            if not _MAIL_HEADERS.intersection(name.lower() for name in message):
                break
            return _read(message)
        except Exception:
            continue
    return Mail(_tidy(_decode(raw, None)))


def is_utf16(raw: bytes) -> bool:
    """Tell whether a file begins with the byte order mark of UTF-16."""
    return raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


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
    return _tidy("".join(pieces))


def _one_line(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(html))


def _read(message: Message) -> Mail:
    mail = Mail("")
    body = _text_of(message, mail.attachments)
    subject = str(message["subject"] or "").strip()
    mail.text = _tidy(f"Subject: {subject}\n\n{body}" if subject else body)
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
    payload = part.get_payload(decode=True)
    text = (
        _decode(payload, part.get_content_charset())
        if isinstance(payload, bytes)
        else str(part.get_payload())
    )
    return html_to_text(text) if kind == "text/html" else text[:MAX_CHARACTERS]


def _best_of(alternatives: list[Message], attachments: list[str]) -> str:
    plain_first = sorted(alternatives, key=lambda part: part.get_content_type() != "text/plain")
    for part in plain_first:
        if (text := _text_of(part, attachments)).strip():
            return text
    return ""


def _decode(raw: bytes, charset: str | None) -> str:
    known = _codec(charset)
    tries = [
        (known, "strict"),
        ("utf-8", "strict"),
        (known, "replace") if known != "ascii" else ("cp1252", "replace"),
    ]
    for encoding, errors in tries:
        try:
            return raw.decode(encoding, errors)
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _codec(charset: str | None) -> str:
    try:
        return codecs.lookup(charset or "ascii").name
    except (LookupError, ValueError):
        return "ascii"


def _without_byte_order_mark(raw: bytes) -> bytes:
    if is_utf16(raw):
        return raw.decode("utf-16", "replace").encode("utf-8")
    return raw.removeprefix(codecs.BOM_UTF8)


def _tidy(text: str) -> str:
    """Drop what cannot be written as UTF-8, and runs of blank space."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    lines = [re.sub(r"[^\S\n]+", " ", line).strip() for line in re.split(r"\r\n|\r|\n", text)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

"""The words of a raw e-mail, whatever state it is in."""

import codecs
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from html.parser import HTMLParser

MAX_CHARACTERS = 200_000  # of one part; what follows teaches no filter anything

_MAIL_HEADERS = {
    "from",
    "to",
    "subject",
    "date",
    "received",
    "content-type",
    "message-id",
    "mime-version",
    "return-path",
}
_BLOCKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "blockquote",
}
_UNSEEN = {"script", "style", "title"}


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
    for rules in (policy.default, policy.compat32):
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
    """Return the visible text of an HTML document, a line for each block."""
    reader = _TextOfHtml()
    try:
        reader.feed(html[:MAX_CHARACTERS])
        reader.close()
        text = "".join(reader.pieces)
    except (AssertionError, ValueError):  # what the parser raises on malformed declarations
        text = ""
    if not text.strip():  # an unclosed <style> hides everything: show what is not a tag
        text = re.sub(r"<[^<>]*>", " ", html[:MAX_CHARACTERS])
    return _tidy(text)


class _TextOfHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _UNSEEN
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNSEEN and self._hidden > 0
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


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

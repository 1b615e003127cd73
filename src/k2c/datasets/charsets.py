"""Bytes to text: by the label they came with, then by what they look like."""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress

# A label names the smallest set of characters; senders use the larger one (as the WHATWG's encoding standard says).
_LARGER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-8": "cp1255",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
# Labels that mail has and Python's codecs do not; the others are tried without `x-`, and with `cp` for `windows-`.
_ALIASES = {"gb_2312-80": "gb18030", "iso-10646-ucs-2": "utf-16", "windows-31j": "cp932", "utf8mb4": "utf-8"}
_NO_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"}

# Encodings that the detector may choose between: the common one of each alphabet.
_CANDIDATES = [
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
    *("koi8_r", "cp1251", "cp1253", "cp1255", "cp1256", "cp874"),
]
_LOOKED_AT = 8192  # bytes of a text that the detector sees
_JAPANESE = re.compile(rb"\x1b\$[@B]")  # the switch of alphabet in ISO-2022-JP, which has ASCII bytes only
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")


def decode(raw: bytes, label: str | None = None) -> str:
    """Return text, without loss where the label is right or the content shows what it is.

    Parameters
    ----------
    raw
        Text in an unknown state.
    label
        The charset that came with it: a name of MIME, or anything (`unknown-8bit`).

    Notes
    -----
    In turn: a byte order mark; UTF-16 by its zero bytes; the label, where all bytes are valid in it (in ISO-8859-1
    every byte is, so that this label comes after UTF-8); UTF-8; the label, its few invalid bytes replaced; for texts
    in which a quarter of the letters is outside of ASCII, the guess of charset-normalizer; and Windows-1252, the
    most frequent one of mail without a label.
    """
    codec = codec_of(label)
    for name in _strict(raw, codec):
        try:
            return raw.decode(name)
        except (UnicodeError, ValueError):
            continue
    if codec and codec not in ("cp1252", "utf-8", "utf-7"):
        text = raw.decode(codec, "replace")
        if text.count("\ufffd") <= 1 + len(text) / 50:
            return text
    if codec == "utf-8":
        text = raw.decode("utf-8", "replace")
        if text.count("\ufffd") * 4 <= sum(letter > "\x7f" for letter in text):
            return text  # damaged here and there
    return raw.decode(_detected(raw) or "cp1252", "replace")


def codec_of(label: str | None) -> str | None:
    """Return the codec of Python for a charset's name in mail, the larger set where senders mix them up."""
    name = (label or "").strip("\"' ;").lower()
    plain = re.sub(r"^(x-)+|-[ie]$|^(cs)(?=iso|utf|koi)", "", name)
    for known in (name, plain, _ALIASES.get(plain, ""), re.sub(r"^(windows|cp|dos)-?(?=\d)", "cp", plain)):
        try:
            codec = codecs.lookup(known).name
            with suppress(UnicodeError):
                b"text".decode(codec)  # a LookupError for what is no text encoding, such as rot13
        except (LookupError, ValueError):
            continue
        if codec not in _NO_CHARSETS:
            return _LARGER.get(codec, codec)
    return None


def _strict(raw: bytes, codec: str | None) -> Iterator[str]:
    """Yield the encodings to try, in which every byte must be valid."""
    if raw.startswith(codecs.BOM_UTF8):
        yield "utf-8-sig"
    if is_utf16(raw) and codec not in ("utf-16-le", "utf-16-be"):
        yield "utf-16"
    if wide := _without_mark(raw):
        yield wide
    if _JAPANESE.search(raw):
        yield "iso2022_jp_ext"
    if codec and codec != "cp1252" and not codec.startswith("utf-16"):
        yield codec
    yield "utf-8"
    if codec and (codec.startswith("utf-16") or (codec == "cp1252" and not _outside(raw))):
        yield codec


def is_utf16(raw: bytes) -> bool:
    """Tell whether bytes begin with the byte order mark of UTF-16."""
    return raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def looks_like_utf16(raw: bytes) -> bool:
    """Tell whether bytes are UTF-16, with or without a byte order mark."""
    return is_utf16(raw) or _without_mark(raw) is not None


def _without_mark(raw: bytes) -> str | None:
    """Return which UTF-16 bytes are that have no mark: the zeros of ASCII letters are all on one side."""
    head = raw[:_LOOKED_AT]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(raw) < 4 or max(even, odd) < len(head) / 8:
        return None
    return "utf-16-le" if even * 20 < odd else "utf-16-be" if odd * 20 < even else None


def _outside(raw: bytes) -> bool:
    """Tell whether so many letters are outside of ASCII that the alphabet may be another one than Latin."""
    letters = _LETTERS.findall(raw[:_LOOKED_AT])
    return sum(letter > b"\x7f" for letter in letters) >= max(8, len(letters) / 4)


def _detected(raw: bytes) -> str | None:
    if not _outside(raw):
        return None
    from charset_normalizer import from_bytes  # not at the top: few messages need it

    best = from_bytes(raw[:_LOOKED_AT], cp_isolation=_CANDIDATES).best()
    return best.encoding if best else None

"""Labelled messages in a table: CSV files as Kaggle has them, and the file of the SMS Spam Collection."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal

from k2c._system.load_report import LoadReport
from k2c._system.printable import printable
from k2c.datasets.charsets import decode
from k2c.datasets.mail import Mail, html_to_text, parse_mail, tidy
from k2c.errors import K2CError

_TEXT = (
    "text",
    "message",
    "v2",
    "body",
    "content",
    "sms",
    "email",
    "mail",
    "email text",
    "text message",
    "msg",
)
_LABEL = (
    "label",
    "v1",
    "category",
    "class",
    "spam/ham",
    "is spam",
    "spam",
    "target",
    "email type",
    "type",
    "label num",
)
_WORDS = {
    **dict.fromkeys(
        ("ham", "not spam", "non spam", "nonspam", "no spam", "legit", "legitimate", "safe email"), "ham"
    ),
    **dict.fromkeys(("spam", "junk", "phishing email"), "spam"),
}
_NUMBERS = {
    **dict.fromkeys(("0", "0.0", "false", "no"), "ham"),
    **dict.fromkeys(("1", "1.0", "true", "yes"), "spam"),
}
_RAW_MAIL = re.compile(
    r"(From |From:|Received:|Return-Path:|Delivered-To:|Message-ID:|MIME-Version:)", re.IGNORECASE
)
_HEAD = 1 << 16


@dataclass(frozen=True)
class _Shape:
    """How a table is written: its separator, the columns that matter, and the rows before the first message."""

    separator: str
    label: int
    text: int
    subject: int | None
    skip: int
    columns: int

    @property
    def quoting(self) -> Literal[0, 3]:
        # The SMS Spam Collection, without a header and with tabs, has quotation marks that are text.
        bare = self.separator == "\t" and not self.skip
        return csv.QUOTE_NONE if bare else csv.QUOTE_MINIMAL


def is_table(path: Path) -> bool:
    """Tell whether a file is a table with a column of texts and one of labels."""
    try:
        with path.open("rb") as file:
            return _shape(decode(file.read(_HEAD))) is not None
    except OSError:
        return False


def read_table(path: Path, name: str, report: LoadReport) -> Iterator[tuple[str, str, Mail]]:
    """Yield label, name and content of each row; a row without a label or a text goes into the report.

    A row is named by the line of the file in which it ends, such as `spam.csv, line 12`.

    Raises
    ------
    K2CError
        When a text goes on over the rows below it, or labels are numbers of which nobody knows what they mean.
    """
    text = decode(path.read_bytes())
    shape = _shape(text[:_HEAD])
    if shape is None:
        report.leave_out(name, "not a table with texts and labels")
        return
    csv.field_size_limit(1 << 24)
    rows = csv.reader(
        io.StringIO(text.replace("\0", ""), newline=""), delimiter=shape.separator, quoting=shape.quoting
    )
    filled = (row for row in rows if any(row))
    try:
        for row in islice(filled, shape.skip, None):
            place = f"{name}, line {rows.line_num:,}"
            word = row[shape.label] if shape.label < len(row) else ""
            _refuse_swallowed(row, shape, place)
            label, mail = label_of(word), _mail(row, shape)
            if label is None and word.strip().isdecimal():
                raise K2CError(
                    f"{printable(place)}: the label is {word.strip()}. Numbers mean ham and spam only as 0 and 1; "
                    "write the words."
                )
            if label is None:
                report.leave_out(place, "its label is neither ham nor spam" if word.strip() else "no label")
            elif not mail.text:
                report.leave_out(place, "no text in it")
            else:
                if word.strip().lower() in _NUMBERS:
                    report.note(f"{name}: 0 was read as ham, 1 as spam.")
                yield label, place, mail
    except csv.Error as error:
        report.leave_out(f"{name}, from line {rows.line_num:,} on", f"not a table ({error})")


def _refuse_swallowed(row: list[str], shape: _Shape, place: str) -> None:
    """Refuse a text with rows in it: its quotation mark was never closed."""
    below = (
        [line for cell in row for line in cell.split("\n")[1:]] if any("\n" in cell for cell in row) else []
    )
    at = shape.label if shape.label < shape.text else shape.label - shape.columns
    found = [
        word
        for line in below
        if len(cells := line.split(shape.separator)) >= shape.columns
        and label_of(word := cells[at].strip('" \r'))
    ]
    if len(found) > 1 or any(word.strip().lower() in _WORDS for word in found):
        raise K2CError(
            f'{printable(place)}: the text has {len(found):,} more rows in it. A quotation mark (") above opens a text '
            "that does not end with its row; close it, or write it twice where it belongs to the text."
        )


def label_of(word: str) -> str | None:
    """Return ham or spam for what a column of labels says, or None."""
    plain = re.sub(r"[\s_-]+", " ", word).strip().lower()
    return _WORDS.get(plain) or _NUMBERS.get(plain)


def _mail(row: list[str], shape: _Shape) -> Mail:
    # What stands after the last column of a table without a header belongs to its text: `ham<tab>text<tab>more`.
    cells = row[shape.text :] if shape.quoting == csv.QUOTE_NONE else row[shape.text : shape.text + 1]
    text = shape.separator.join(cells).strip()
    if _RAW_MAIL.match(text) and "\n" in text:
        return parse_mail(text.encode("utf-8", "replace"))
    if re.match(r"<(!doctype|html)", text, re.IGNORECASE):
        text = html_to_text(text)
    subject = row[shape.subject].strip() if shape.subject is not None and shape.subject < len(row) else ""
    return Mail(tidy(f"Subject: {subject}\n\n{text}" if subject else text))


def _shape(head: str) -> _Shape | None:
    lines = head.lstrip("\ufeff\r\n").splitlines()
    # Excel's line that names the separator, which may be a tab, and comments.
    skip = len(list(takewhile(re.compile(r'"?sep=.?"?\s*$|#').match, lines)))
    for separator in ",;\t|":
        for first in csv.reader(lines[skip : skip + 1], delimiter=separator):
            if shape := _named(first, separator, skip) or (None if skip else _unnamed(first, separator)):
                return shape
    return None


def _named(first: list[str], separator: str, skip: int) -> _Shape | None:
    names = [re.sub(r"[\s_-]+", " ", name).strip().lower() for name in first]
    text = next((names.index(name) for name in _TEXT if name in names), None)
    label = next((names.index(name) for name in _LABEL if name in names), None)
    if text is None or label is None or text == label:
        return None
    subject = names.index("subject") if "subject" in names else None
    return _Shape(separator, label, text, subject, skip + 1, len(first))


def _unnamed(first: list[str], separator: str) -> _Shape | None:
    """Tell a table without a header by a label in its first row."""
    if len(first) < 2 or not re.search(r"[^\W\d_]{2}", " ".join(first[1:-1] or first)):
        return None
    words = [_WORDS.get(cell.strip().lower()) for cell in first]
    if words[0]:
        return _Shape(separator, 0, 1, None, 0, 2)
    return _Shape(separator, len(first) - 1, 0, None, 0, len(first)) if words[-1] else None

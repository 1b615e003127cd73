"""Read a CSV file of labels as people have them: from Excel, from pandas, with comments, in any encoding."""

import csv
import gzip
import io
import re
import string
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from k2c._system.printable import printable
from k2c.datasets.label_columns import NOT_KNOWN, LabelsCsv, plain_name
from k2c.errors import K2CError

SEPARATORS = ",;\t|"
MAX_BYTES = 1 << 29  # unpacked; the labels of ChestX-ray14's 112,120 films have 8 MB

_BLANK = f"{string.whitespace}\xa0\u200b\u2060\ufeff"  # what copying from a page or a PDF leaves around a name, too
_SEP_LINE = re.compile(r'^"?sep=(.)"?[\r\n]*$', re.IGNORECASE)
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_OTHER_KINDS = (
    (b"pk\x03\x04", "an Excel workbook (or another zip archive). Save it as CSV from the spreadsheet program"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook. Save it as CSV from the spreadsheet program"),
    (b"version https://git-lfs", "a pointer of Git LFS, without the content. Fetch that with: git lfs pull"),
    (b"<!doctype", "a web page. Download the file itself, not the page that shows it"),
    (b"<html", "a web page. Download the file itself, not the page that shows it"),
    (b"<?xml", "an XML file. Save it as CSV"),
    (b"%pdf", "a PDF. Save its table as CSV"),
    (b"par1", "a Parquet file. Save it as CSV: pandas.read_parquet(...).to_csv(...)"),
)  # fmt: skip


def read_labels_csv(path: Path) -> LabelsCsv:
    """Read a CSV file of labels.

    Understood are commas, semicolons and tabs between the columns, Excel's first line `sep=;`, UTF-8, UTF-16 and
    Windows-1252, quoted text with line breaks, empty lines, lines that begin with `#`, separators at the end of a
    line, and a file packed with gzip.

    Raises
    ------
    K2CError
        When it cannot be read, is another kind of file, has no rows, or two columns of one name: which line it is.
    """
    text, notes = _text(path)
    lines = _Lines(text)
    separator = lines.separator()
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    records = [(line, row) for line, row in _records(reader, lines, path) if any(row)]
    if len(records) < 2:
        raise K2CError(
            f"{printable(path)} is empty: it needs a header line, and a line for each image below it."
        )
    if lines.comments:
        notes.append(f"Lines of {printable(path.name)} that begin with # are comments: {lines.comments:,}.")
    (_, header), *below = records
    _refuse_twice(header, path)
    fields = [_as_long_as(header, row, line, path) for line, row in below]
    table = pd.DataFrame(fields, columns=header, dtype=str)[[name for name in header if name]]
    table = table.apply(lambda column: column.where(~column.str.casefold().isin(NOT_KNOWN), ""))
    return LabelsCsv(path, table, [line for line, _ in below], separator != ",", notes)


class _Lines:
    """The lines of a file as `csv.reader` asks for them, without comments and empty lines between the rows."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = iter(io.StringIO(text, newline=""))  # splits at \n, \r and \r\n as csv does
        self.number = self.begins = self.comments = 0
        self.between_rows = True

    def separator(self) -> str:
        """Return what separates the columns: what the first line says, else what the header has most of."""
        first = next(self._lines, "")
        self.number = 1
        if said := _SEP_LINE.match(first):
            return said[1]
        self._lines, self.number = iter(io.StringIO(self._text, newline="")), 0
        copy = _Lines(self._text)
        header = re.sub(r'"[^"]*"', "", next(copy, ""))
        return max(SEPARATORS, key=header.count)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            if self.between_rows:
                if not line.strip():
                    continue
                if line.lstrip().startswith("#"):
                    self.comments += 1
                    continue
                self.begins, self.between_rows = self.number, False
            return line
        raise StopIteration


def _records(reader: Iterator[list[str]], lines: _Lines, path: Path) -> Iterator[tuple[int, list[str]]]:
    while True:
        lines.between_rows = True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise K2CError(
                f"{printable(path)}, line {lines.begins}: this is not a row of a CSV file: "
                'a quotation mark (") opens a text here that does not end before a separator.'
            ) from error
        yield lines.begins, [value.strip(_BLANK) for value in row]


def _text(path: Path) -> tuple[str, list[str]]:
    name = printable(path)
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise K2CError(f"{name} is packed with gzip, and damaged.") from error
    except OSError as error:
        raise K2CError(f"{name} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise K2CError(f"{name} has more than {MAX_BYTES >> 20} MB: too much for a file of labels.")
    start = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for sign, kind in _OTHER_KINDS:
        if start.startswith(sign):
            raise K2CError(f"{name} is not a CSV file but {kind}.")
    text, notes = _decoded(content, path.name)
    if "\0" in text:
        raise K2CError(f"{name} is not a CSV file: its content is no text. Save the labels as CSV.")
    return text, notes


def _decoded(content: bytes, name: str) -> tuple[str, list[str]]:
    encodings = [encoding for mark, encoding in _BOMS if content.startswith(mark)][:1]
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):  # of Latin text, every other byte is 0
        if not encodings and content[first:200:2].count(0) > 60 * min(len(content), 200) / 200:
            encodings = [encoding]
    for encoding in (*encodings, "utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        utf8 = encoding.startswith("utf-8")
        return text, [] if utf8 else [f"{printable(name)} was read as {encoding.upper()}."]
    return content.decode("latin-1"), [f"{printable(name)} was read as LATIN-1."]


def read_list(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file in any encoding, such as `test_list.txt`, without empty ones.

    Returns
    -------
    list of tuple
        The number of the line, and its text without spaces around it.
    """
    text, _ = _text(path)
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _refuse_twice(header: list[str], path: Path) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(header, start=1):
        if not name:
            continue
        before = seen.setdefault(plain_name(name), (number, name))
        if before[0] != number:
            raise K2CError(
                f"{printable(path)} has two columns of one name: '{printable(before[1])}' (column {before[0]}) and "
                f"'{printable(name)}' (column {number}). Delete or rename one."
            )


def _as_long_as(header: list[str], row: list[str], line: int, path: Path) -> list[str]:
    if any(row[len(header) :]):
        raise K2CError(
            f"{printable(path)}, line {line}: there are {len(row)} values, but the header names "
            f"{len(header)} columns. Put a value that holds the separator into quotation marks."
        )
    return [*row, *[""] * (len(header) - len(row))][: len(header)]

import pytest

from k2c._system.printable import printable, spreadsheet_cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain.png", "plain.png"),
        ("größe 図 \u0646.png", "größe 図 \u0646.png"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("title\x1b]0;owned\x07", "title\\x1b]0;owned\\x07"),
        ("c1\x9b2J", "c1\\x9b2J"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("line\nfeed", "line\\nfeed"),
        ("sur\udcffrogate", "sur\\udcffrogate"),
        ("\u2028", "\\u2028"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, shown):
    assert printable(text) == shown
    assert printable(text).encode()  # can always be encoded


def test_line_feeds_and_tabs_stay_where_lines_are_wanted():
    assert printable("a\tb\nc\x1b", lines=True) == "a\tb\nc\\x1b"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("cat.jpg", "cat.jpg"),
        ("two  spaces.jpg", "two  spaces.jpg"),
        ("a=b+c", "a=b+c"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("\r\n=1", "' =1"),
        (" =1", "' =1"),
        ("two\nlines", "two lines"),
        ("red\x1b[31m", "red\\x1b[31m"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_text_is_never_a_formula_and_numbers_stay_numbers(value, written):
    assert spreadsheet_cell(value) == written

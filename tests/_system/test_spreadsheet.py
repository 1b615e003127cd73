import pytest

from k2c._system.spreadsheet import spreadsheet_cell


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

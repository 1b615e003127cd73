"""The terminal shows any text as it is: brackets, control characters, letters that its encoding lacks."""

import io

import pytest
from rich.table import Table

from k2c._system.terminal import Terminal


def printed(encoding, *parts, width=200):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    terminal = Terminal(file=file, width=width)
    terminal.say(*parts)
    table = Table(box=None, show_header=False)
    table.add_row(*(part if isinstance(part, str) else part[0] for part in parts))
    terminal.print(table)
    said, in_a_table = raw.getvalue().decode(encoding).splitlines()
    assert in_a_table.strip() == said
    return said


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("w [final]", "utf-8", "w [final]"),
        ("a [/b].csv", "utf-8", "a [/b].csv"),
        ("[bold]no[/bold] :smile:", "utf-8", "[bold]no[/bold] :smile:"),
        ("new\x1b[31m", "utf-8", r"new\x1b[31m"),
        ("a\rb\x07", "utf-8", r"a\rb\x07"),
        ("b\udcffc", "utf-8", r"b\udcffc"),
        ("ü✓.csv", "utf-8", "ü✓.csv"),
        ("ü✓.csv", "cp1252", "ü+.csv"),
        ("ü✓.csv", "latin-1", "ü+.csv"),
        ("ü✓ – …", "ascii", r"\xfc+ - ."),
        ("視力", "cp1252", r"\u8996\u529b"),
    ],
)
@pytest.mark.parametrize("style", [None, "bold red"])
def test_text_is_shown_as_it_is(text, encoding, shown, style):
    assert printed(encoding, (text, style) if style else text) == shown


def test_a_line_is_not_wrapped_so_that_a_path_can_be_copied():
    raw = io.StringIO()
    Terminal(file=raw, width=20).say("Report: ", "x" * 60)
    assert raw.getvalue() == f"Report: {'x' * 60}\n"

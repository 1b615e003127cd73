"""Print measured rows as a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from k2c._system.terminal import Terminal
from k2c.bench.registry import Row


def print_rows(rows: Sequence[Row], console: Terminal) -> None:
    """Print a table of rows, then how each was measured."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("figure")
    for column in ("ours", "reference", "unit", "ratio", "target", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        numbers = [f"{row['ours']:.4g}", f"{row['reference']:.4g}", row["unit"]]
        verdict = Text("ok", "green") if row["ok"] else Text("missed", "red")
        table.add_row(row["name"], *numbers, f"{row['ratio']:.3g}", f"{row['target']:.3g}", verdict)
    console.print(table)
    for row in rows:
        if row.get("detail"):
            console.print(Text(f"{row['name']}: {row['detail']}", "dim"))

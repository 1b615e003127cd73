"""What `k2c bench` measured before: a table of ratios, and whether one fell by more than its noise."""

import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from k2c._system.atomic import atomic_path
from k2c._system.machine import describe_machine
from k2c._system.paths import project_root
from k2c._system.terminal import Terminal
from k2c.bench.comparison import Row
from k2c.errors import K2CError

if TYPE_CHECKING:
    import pandas

COLUMNS = ["date", "machine", "commit", "kind", "name", "ours", "reference", "unit", "ratio"]
ENOUGH = 3  # earlier ratios of the same figure; with fewer, nobody knows its noise
LEAST = 0.05  # a fall by less than this fraction is never called a loss
SHOWN = 5


def read_history(file: Path) -> "pandas.DataFrame":
    """Return the table of earlier figures, empty where there is no file yet.

    Raises
    ------
    K2CError
        When the file is no such table.
    """
    import pandas as pd

    if not file.exists():
        return pd.DataFrame(columns=COLUMNS)
    try:
        table = pd.read_csv(file, dtype={"ratio": float})
    except (OSError, ValueError):  # a folder; empty, no CSV at all, or words where ratios stand
        table = pd.DataFrame()
    if list(table.columns) != COLUMNS:
        raise K2CError(
            f"{file} is not a history of benchmarks. Move it away, or name another file with --history."
        )
    return table


def add_to_history(rows: Sequence[Row], file: Path, *, quick: bool) -> "pandas.DataFrame":
    """Append rows to the table of a machine's earlier figures, and return how each stands beside them.

    Parameters
    ----------
    rows
        What was measured now.
    file
        A CSV with one line per figure and run; made when it is missing.
    quick
        Whether it was `k2c bench --quick`, whose figures are compared with each other alone.

    Returns
    -------
    DataFrame
        One row per figure: `name`, `earlier` (the last ratios on the same machine, oldest first), `usual` (their
        median), `ratio`, and `verdict`: `"lower"` where the ratio lies below the median by more than three times
        the spread of the earlier ones (their median absolute deviation, as a standard deviation) and by more than 5%.

    Raises
    ------
    K2CError
        When the file is no such table.
    """
    import pandas as pd

    table = read_history(file)
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "commit": _commit(),
        "kind": "quick" if quick else "full",
    }
    same = table[(table["machine"] == about["machine"]) & (table["kind"] == about["kind"])]
    found = pd.DataFrame(
        [_beside(row, same.loc[same["name"] == row["name"], "ratio"].tolist()) for row in rows]
    )
    new = pd.DataFrame([about | row for row in rows])
    with atomic_path(file) as part:
        (pd.concat([table, new]) if len(table) else new)[COLUMNS].to_csv(part, index=False)
    return found


def print_trend(found: "pandas.DataFrame", file: Path, console: Terminal) -> None:
    """Print how each figure stands beside the earlier ones of this machine."""
    table = Table(box=None, padding=(0, 2), header_style="dim", title=f"Ratios on this machine, kept in {file}",
                  title_justify="left")  # fmt: skip
    for column in ("figure", "earlier", "now", ""):
        table.add_column(column, justify="right" if column == "now" else "left")
    for row in found.itertuples():
        earlier = "  ".join(f"{ratio:.3g}" for ratio in row.earlier) or "none"
        verdict = Text(row.verdict, {"lower": "red", "higher": "green"}.get(row.verdict, "dim"))
        table.add_row(row.name, earlier, f"{row.ratio:.3g}", verdict)
    console.print(table)


def _beside(row: Row, earlier: list[float]) -> dict[str, object]:
    usual = statistics.median(earlier) if earlier else float("nan")
    if len(earlier) < ENOUGH:
        verdict = f"nothing to compare with before {ENOUGH} earlier runs"
    else:
        noise = 1.4826 * statistics.median(abs(ratio - usual) for ratio in earlier)
        change, least = row["ratio"] - usual, max(3 * noise, LEAST * usual)
        verdict = "within noise" if abs(change) <= least else "higher" if change > 0 else "lower"
    return {
        "name": row["name"], "earlier": earlier[-SHOWN:], "usual": usual, "ratio": row["ratio"], "verdict": verdict,
    }  # fmt: skip


def _machine() -> str:
    facts = describe_machine()
    return ", ".join(f"{key} {facts[key]}" for key in ("processor", "cores", "gpu"))


def _commit() -> str:
    """Return the commit of the checkout, with a plus sign when files differ from it; the version elsewhere."""
    from k2c import __version__

    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=project_root(), capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return done.stdout.strip()

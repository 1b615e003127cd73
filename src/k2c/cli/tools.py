"""Commands beside the lectures: what is here, and how fast it is."""

import json
import sys
from pathlib import Path

import click

from k2c._system.terminal import console
from k2c.cli.group import Output


@click.command()
def doctor() -> None:
    """Say what is there, what is not, and what to do about it."""
    from k2c.cli.doctor import examine, print_findings

    findings = examine()
    print_findings(findings, console)
    sys.exit(1 if any(finding.status == "missing" for finding in findings) else 0)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "json_file", type=Output(), help="Write the rows here too.")
@click.option("--quick", is_flag=True, help="A fifth of the turns, and no batch: about two minutes.")
@click.option(
    "--history", type=Output(), default=Path("runs/bench/history.csv"),
    show_default=True, help="Where earlier figures stand; the new ones are added.",
)  # fmt: skip
def bench(names: tuple[str, ...], json_file: Path | None, quick: bool, history: Path) -> None:
    """Measure the kit against named references, in turns in one run.

    NAME is a benchmark, all of them by default. Run nothing else on the machine meanwhile. Each ratio is compared with
    the earlier ones of this machine; one that is lower by more than their noise is marked.
    """
    from k2c._system.machine import keep_to_quota
    from k2c.bench import print_rows, run_benchmarks
    from k2c.bench.history import add_to_history, print_trend, read_history

    keep_to_quota()
    read_history(history)  # what is wrong with it is said now, not after minutes of measuring
    rows = run_benchmarks(list(names), quick=quick)
    print_rows(rows, console)
    if json_file:
        from k2c._system.atomic import atomic_path

        with atomic_path(json_file) as part:
            part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print_trend(add_to_history(rows, history, quick=quick), history, console)
    sys.exit(0 if all(row["ok"] for row in rows) else 1)

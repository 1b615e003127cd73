"""Commands for batches of runs."""

import shlex
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from k2c._system.advice import pip_install
from k2c._system.terminal import console
from k2c.cli import stopping
from k2c.cli.group import Output
from k2c.errors import K2CError

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


class FileOrCommand(click.Group):
    """A group whose first word may be a file: then it is `run FILE`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Take a word that is no command for the file of `run`."""
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=FileOrCommand)
def batch() -> None:
    """Run a lecture many times, over a sweep of its parameters: `k2c batch FILE`.

    FILE is YAML as in course/batches. Runs that ended well stay in the folder; start the batch again after a change or
    a stop, and only what is missing is run.
    """


_workers = click.option(
    "--workers", type=click.IntRange(1, 1024), help="Runs at a time; by default one per core."
)
_cluster = click.option(
    "--cluster",
    default="",
    metavar="local|ADDRESS|SETUP.yml",
    help="Run on a Dask cluster: processes of this machine, a scheduler's address, or a file that sets one up.",
)


@batch.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", type=Output(folder=True), help="The folder; runs/<name of FILE>.")
@_workers
@_cluster
@click.option("--dry-run", is_flag=True, help="Only show the table of runs, and how long they may take.")
def run(file: Path, out: Path | None, workers: int | None, cluster: str, dry_run: bool) -> None:
    """Run what a batch file describes; `k2c batch FILE` is the same."""
    out = out or Path("runs") / file.stem
    if not dry_run:
        _run(file, out, workers, cluster)
    from k2c._system.machine import usable_cores
    from k2c.runs.batch import Store, plan_batch
    from k2c.runs.batch.progress import print_plan

    print_plan(plan_batch(file, out), Store(out), workers or usable_cores(), console)


@batch.command()
@click.argument("folder", type=_FOLDER)
@_workers
@_cluster
def resume(folder: Path, workers: int | None, cluster: str) -> None:
    """Run what is missing in FOLDER or has failed there."""
    from k2c.runs.batch import read_plan

    read_plan(folder)  # says what is wrong with the folder
    _run(folder / "batch.yml", folder, workers, cluster)


@batch.command()
@click.argument("folder", type=_FOLDER)
def report(folder: Path) -> None:
    """Write the report of FOLDER again."""
    _check_report()
    _report(folder)


@batch.command()
@click.argument("a", type=_FOLDER)
@click.argument("b", type=_FOLDER)
def compare(a: Path, b: Path) -> None:
    """Say which results of two batches differ by more than their seeds do."""
    from k2c.runs.reports.batch.compare import compare_batches

    compare_batches(a, b, console)


@batch.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--mlflow",
    "into",
    required=True,
    metavar="DIR",
    type=Output(folder=True),
    help="An MLflow file store, made where it is missing.",
)
def export(folder: Path, into: Path) -> None:
    """Write the runs of FOLDER for MLflow; results.csv and results.parquet stand in FOLDER already.

    MLflow 3 reads a file store where MLFLOW_ALLOW_FILE_STORE is true, or moves it: mlflow migrate-filestore.
    """
    from k2c.runs.batch.store import storage
    from k2c.runs.reports.batch import read_batch_table
    from k2c.runs.reports.batch.mlflow import export_mlflow

    with storage(into):
        runs = export_mlflow(read_batch_table(folder), folder, into)
    console.say(f"{runs:,} run{'' if runs == 1 else 's'}: {into}")


def _run(file: Path, out: Path, workers: int | None, cluster: str) -> None:
    """Run a batch, write its report, and leave."""
    _check_report()
    from k2c.runs.batch import run_batch
    from k2c.runs.batch.progress import show_progress

    def at_end() -> None:
        stopping.ignore()  # the report takes a moment, and is written after Ctrl-C too
        _report(out)

    progress = run_batch(file, out, workers, cluster, partial(show_progress, console=console), at_end)
    counts = ", ".join(f"{number:,} {status}" for status, number in progress.counts.items())
    console.say(f"{len(progress.plan.runs):,} runs: {counts or 'none done'}.")
    if progress.end:
        console.say(progress.end)
    if progress.stopped:
        raise stopping.Stopped(f"Go on with: k2c batch resume {shlex.quote(str(out))}")
    sys.exit(0 if progress.succeeded else 1)


def _check_report() -> None:
    if missing := [name for name in ("plotly", "pyarrow") if find_spec(name) is None]:
        raise K2CError(
            f"The report of a batch needs {' and '.join(missing)}. Install what is missing: {pip_install('[batch]')}"
        )


def _report(folder: Path) -> None:
    from k2c.runs.batch.store import storage
    from k2c.runs.reports.batch import read_batch_table, write_batch_report

    with storage(folder):
        found = read_batch_table(folder)
        page = write_batch_report(folder, found)
    for said in found.what_was_read():
        console.say(said)
    console.say(f"Report: {page}")

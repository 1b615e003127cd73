"""The command `k2c`. Heavy imports stand in the commands that need them, so that a typing error answers at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from k2c import __version__
from k2c.errors import K2CError
from k2c.paths import project_root
from k2c.syllabus import PROFILES, ParameterError, Syllabus, Value, load_syllabus

console = Console()
problems = Console(stderr=True)


class SentenceGroup(click.Group):
    """A command group that shows the kit's own errors as sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command; a `K2CError` ends it with its sentence and exit code 2."""
        try:
            return super().invoke(ctx)
        except K2CError as error:
            problems.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            ctx.exit(2)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="k2c")
def main() -> None:
    """Kernels to Clinic: lectures on deep learning that run anywhere."""
    # A kernel of the user's own, registered under the same name, must not run the lectures.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")


@main.command()
@click.argument("lectures", nargs=-1, metavar="[LECTURE]...")
@click.option(
    "--profile", type=click.Choice(PROFILES), default="lecture", show_default=True, help="Size of the run."
)
@click.option(
    "-p", "changes", metavar="NAME=VALUE", multiple=True, help="Set a parameter; may be given again."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the report.")
def run(lectures: tuple[str, ...], profile: str, changes: tuple[str, ...], out: Path | None) -> None:
    """Execute lectures (all of them by default) and write a report.

    A LECTURE is the name of a notebook; the start of it is enough, as in `k2c run 02`. The report is
    runs/<date>/index.html unless --out names another folder. `k2c list` shows lectures and parameters.
    """
    syllabus = load_syllabus()
    plan = _plan(syllabus, lectures, profile, changes)
    from k2c.runs import Run, execute_all, write_report

    _terminate_like_ctrl_c()
    out = out or Path("runs") / time.strftime("%Y-%m-%d_%H-%M-%S")
    runs = [
        Run(name, syllabus.lectures[name].title, syllabus.lectures[name].profile_of(values), values)
        for name, values in plan.items()
    ]
    try:
        completed = execute_all(runs, out, console)
    finally:
        report = write_report(runs, out, out.name)
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)
    if not completed:
        sys.exit(130)
    sys.exit(0 if all(run.status == "ok" for run in runs) else 1)


def _plan(
    syllabus: Syllabus, lectures: tuple[str, ...], profile: str, changes: tuple[str, ...]
) -> dict[str, dict[str, Value]]:
    names = list(dict.fromkeys(syllabus.lecture_name(name) for name in lectures)) or list(syllabus.lectures)
    values = dict(_name_and_value(change) for change in changes)
    return {
        name: syllabus.lectures[name].settings(profile) | syllabus.lectures[name].resolve(values, where=name)
        for name in names
    }


def _name_and_value(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals:
        raise ParameterError(f"-p takes NAME=VALUE, as in -p epochs=5, not {change!r}.")
    return name.strip(), value.strip()


def _terminate_like_ctrl_c() -> None:
    """Let `kill` and a job that is cancelled stop the kernels and leave a report, as Ctrl-C does."""

    def stop(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


@main.command("list")
def list_lectures() -> None:
    """Show the lectures, their parameters, defaults and allowed values."""
    for name, lecture in load_syllabus().lectures.items():
        console.print(f"\n[bold]{name}[/]  {escape(lecture.title)} [dim]({lecture.minutes} minutes)[/]")
        table = Table(box=None, padding=(0, 2), show_header=True, header_style="dim")
        for column in ("parameter", "default", "allowed", "what it is"):
            table.add_column(column, overflow="fold")
        for key, parameter in lecture.parameters.items():
            table.add_row(f"  {key}", str(parameter.default), parameter.allowed(), parameter.help)
        console.print(table)


@main.command()
def doctor() -> None:
    """Say what is there, what is not, and what to do about it."""
    from k2c.doctor import examine, print_findings

    findings = examine()
    print_findings(findings, console)
    sys.exit(1 if any(finding.status == "missing" for finding in findings) else 0)


@main.command()
@click.argument("lectures", nargs=-1, metavar="[LECTURE]...")
def notebooks(lectures: tuple[str, ...]) -> None:
    """Execute lectures at their defaults and save the outputs in notebooks/.

    A notebook is replaced only when it ran through and every guard held.
    """
    plan = _plan(load_syllabus(), lectures, "lecture", ())
    from k2c.runs import refresh_notebook

    for name in plan:
        refresh_notebook(name, console)


@main.command()
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(options: tuple[str, ...]) -> None:
    """Open JupyterLab on the lectures. Options after `--` go to JupyterLab."""
    folder = project_root() / "notebooks"
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *options]
    try:
        sys.exit(subprocess.call(command))
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows here too."
)
def bench(names: tuple[str, ...], json_file: Path | None) -> None:
    """Measure the kit against named references, in turns in one run.

    NAME is a benchmark, all of them by default. Run nothing else on the machine meanwhile.
    """
    from k2c.bench import print_rows, run_benchmarks

    rows = run_benchmarks(list(names))
    print_rows(rows, console)
    if json_file:
        from k2c.atomic import atomic_path

        with atomic_path(json_file) as part:
            part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The table."
)
@click.option(
    "--top", type=click.IntRange(1, 1000), default=1, show_default=True, help="Classes for each picture."
)
@click.option(
    "--backbone",
    "network",
    default="efficientnet_lite0",
    show_default=True,
    metavar="NAME",
    help="The network.",
)
def predict(folder: Path, csv_file: Path, top: int, network: str) -> None:
    """Write what a network takes the pictures in FOLDER for to a CSV file.

    Its columns: file, index, wnid, name, probability, rank (1 is the best). Folders in FOLDER are searched, too.
    Files that are no pictures or are damaged, and pictures under 8 x 8 pixels, are listed and left out;
    the exit status is 1 then, and 2 where there was nothing to predict.
    """
    from k2c.models.prediction import predict_folder
    from k2c.training import pick_device

    device = pick_device()
    report = predict_folder(folder, csv_file, top=top, network=network, device=device, progress=True)
    for error in report.broken:
        problems.print(f"[yellow]Left out:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
    words = f"{report.predicted:,} pictures predicted" if report.predicted != 1 else "1 picture predicted"
    left_out = f", {len(report.broken):,} left out" if report.broken else ""
    console.print(f"{words}{left_out}: {csv_file}", soft_wrap=True, highlight=False)
    sys.exit(1 if report.broken else 0)


@main.group()
def data() -> None:
    """List, fetch and verify the data sets."""


@data.command("list")
def list_data() -> None:
    """Show every data set, its licence, its size and whether it is here."""
    from k2c.datasets import entries, is_cached

    for entry in entries():
        here = "ships" if entry.shipped else "[green]here[/]" if is_cached(entry.id) else "not here"
        facts = ", ".join(filter(None, (entry.licence, entry.download_text, here)))
        console.print(f"[bold]{entry.id}[/]  [dim]{facts}[/]\n    {escape(entry.title)}", soft_wrap=True)


@data.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
def fetch(ids: tuple[str, ...]) -> None:
    """Download data sets (by default all that the lectures read), checked by their hashes."""
    from k2c.datasets import entries
    from k2c.datasets import fetch as fetch_data

    for name in ids or [entry.id for entry in entries() if entry.by_default]:
        console.print(f"{name}: {fetch_data(name)}", soft_wrap=True, highlight=False)


@data.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
def verify(ids: tuple[str, ...]) -> None:
    """Check the files that are here against their hashes (all data sets by default)."""
    from k2c.datasets import entries, is_cached
    from k2c.datasets import verify as verify_data

    wrong = False
    for name in ids or [entry.id for entry in entries()]:
        if not ids and not is_cached(name):
            console.print(f"{name}: not here")
            continue
        found = verify_data(name)
        wrong = wrong or bool(found)
        console.print(f"{name}: " + ("; ".join(found) or "intact"), soft_wrap=True, highlight=False)
    sys.exit(1 if wrong else 0)


@data.command()
@click.argument("name", metavar="ID")
def path(name: str) -> None:
    """Print where a data set is, or will be."""
    from k2c.datasets import local_path

    click.echo(local_path(name))

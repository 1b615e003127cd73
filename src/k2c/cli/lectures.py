"""Commands that run and show lectures."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.table import Table

from k2c._system.paths import project_root
from k2c._system.terminal import console, problems
from k2c.cli import stopping
from k2c.cli.group import Output
from k2c.course.syllabus import PROFILES, ParameterError, Syllabus, Value, load_syllabus
from k2c.errors import K2CError


@click.command()
@click.argument("lectures", nargs=-1, metavar="[LECTURE]...")
@click.option(
    "--profile", type=click.Choice(PROFILES), default="lecture", show_default=True, help="Size of the run."
)
@click.option(
    "-p", "changes", metavar="NAME=VALUE", multiple=True, help="Set a parameter; may be given again."
)
@click.option("--out", type=Output(folder=True), help="Folder of the report.")
def run(lectures: tuple[str, ...], profile: str, changes: tuple[str, ...], out: Path | None) -> None:
    """Execute lectures (all of them by default) and write a report.

    A LECTURE is the name of a notebook; its number or the start of a word in it is enough, as in `k2c run 2` or
    `k2c run lenet`. A path, as in `-p source=mail`, starts from where you stand. The report is runs/<date>/index.html
    unless --out names another folder. `k2c list` shows lectures and parameters.
    """
    syllabus = load_syllabus()
    plan = _plan(syllabus, lectures, profile, changes)
    from k2c.runs import Run, execute_all, find_data, what_was_read, write_report

    out = out or Path("runs") / time.strftime("%Y-%m-%d_%H-%M-%S")
    runs = [
        Run(
            name,
            syllabus.lectures[name].title,
            syllabus.lectures[name].profile_of(values),
            values,
            find_data(name, values, out),
        )
        for name, values in plan.items()
    ]
    try:
        completed = execute_all(runs, out, console)
    finally:
        report = write_report(runs, out, out.name)
    for said in what_was_read(runs):
        console.say(said)
    if not completed:
        raise stopping.Stopped(f"Report: {report}")
    console.say(f"Report: {report}")
    sys.exit(0 if all(run.status == "ok" for run in runs) and (lectures or not syllabus.refused) else 1)


def _plan(
    syllabus: Syllabus, lectures: tuple[str, ...], profile: str, changes: tuple[str, ...]
) -> dict[str, dict[str, Value]]:
    names = list(dict.fromkeys(syllabus.lecture_name(name) for name in lectures)) or list(syllabus.lectures)
    for sentence in () if lectures else syllabus.refused.values():
        problems.say(("Left out:", "yellow"), f" {sentence}")
    values = dict(_name_and_value(change) for change in changes)
    plan = {}
    for name in names:
        lecture = syllabus.lectures[name]
        plan[name] = lecture.locate(
            lecture.settings(profile) | lecture.resolve(values, where=name), Path.cwd()
        )
    return plan


def _name_and_value(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals:
        raise ParameterError(f"-p takes NAME=VALUE, as in -p epochs=5, not {change!r}.")
    return name.strip(), value.strip()


@click.command("list")
@click.argument("lectures", nargs=-1, metavar="[LECTURE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def list_lectures(lectures: tuple[str, ...], as_json: bool) -> None:
    """Show lectures (all of them by default), their parameters, defaults and allowed values."""
    syllabus = load_syllabus()
    names = [syllabus.lecture_name(name) for name in lectures] or list(syllabus.lectures)
    for sentence in () if lectures else syllabus.refused.values():
        problems.say(("Refused:", "yellow"), f" {sentence}")
    if as_json:
        shown = {name: syllabus.lectures[name].model_dump(mode="json") for name in names}
        click.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    for name in names:
        lecture = syllabus.lectures[name]
        console.say((f"\n{name}", "bold"), f"  {lecture.title} ", (f"({lecture.minutes} minutes)", "dim"))
        table = Table(box=None, padding=(0, 2), show_header=True, header_style="dim")
        for column in ("parameter", "default", "allowed", "what it is"):
            table.add_column(column, overflow="fold")
        for key, parameter in lecture.parameters.items():
            table.add_row(f"  {key}", str(parameter.default), parameter.allowed(), parameter.help)
        console.print(table)


@click.command()
@click.argument("lectures", nargs=-1, metavar="[LECTURE]...")
def notebooks(lectures: tuple[str, ...]) -> None:
    """Execute lectures at their defaults and save the outputs in notebooks/.

    A notebook is replaced only when it ran through and every guard held. What keeps its widgets alive on the site goes
    into course/site/widgets.
    """
    plan = _plan(load_syllabus(), lectures, "lecture", ())
    from k2c.runs import refresh_notebook

    for name in plan:
        refresh_notebook(name, console)


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[FOLDER] [-- OPTIONS]")
def lab(words: tuple[str, ...]) -> None:
    """Open JupyterLab on the lectures, or on a FOLDER of yours. Options after `--` go to JupyterLab."""
    own = words[:1] if words and not words[0].startswith("-") else ()
    folder, options = Path(own[0]).absolute() if own else project_root() / "notebooks", words[len(own) :]
    if not folder.is_dir():
        raise K2CError(
            f"There is no folder {folder}. Name one that is there, or leave it out for the lectures."
        )
    # In a container one is root, where JupyterLab does not start unless it is told to.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *root, *options]
    with subprocess.Popen(command) as jupyter:
        try:
            sys.exit(jupyter.wait())
        except KeyboardInterrupt:
            jupyter.terminate()  # it ends its kernels
            raise

"""The command that grades students' notebooks."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from k2c._system.terminal import console
from k2c.cli.group import Output
from k2c.cli.stopping import when_stopped

if TYPE_CHECKING:
    from k2c.runs.grading import Grade, SubmissionLimits
    from k2c.runs.grading.exports import Export


@click.command()
@click.argument("export", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--lecture", help="The lecture (the start of its name is enough), else the one most notebooks open."
)
@click.option(
    "--roster",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The platform's table of the class (CSV): names, addresses, lateness.",
)
@click.option("--out", type=Output(folder=True), help="Folder of the pages.")
@click.option("--csv", "csv_file", type=Output(), help="The table.")
@click.option(
    "--timeout", type=click.FloatRange(1), default=600, show_default=True, help="Seconds a notebook."
)
@click.option(
    "--memory", type=click.FloatRange(0.1), default=4, show_default=True, help="Gigabytes a notebook."
)
@click.option(
    "--workers", type=click.IntRange(1), help="Notebooks at a time (as many as cores and memory allow)."
)
@click.option(
    "--engine", type=click.Choice(["bubblewrap", "docker", "podman"]), help="What keeps the notebooks in."
)
@click.option(
    "--unconfined", is_flag=True, help="Run them without an engine: they can change whatever you can."
)
def grade(
    export: Path,
    lecture: str | None,
    roster: Path | None,
    out: Path | None,
    csv_file: Path | None,
    timeout: float,
    memory: float,
    workers: int | None,
    engine: str | None,
    unconfined: bool,
) -> None:
    """Run the students' notebooks in EXPORT, judge their exercises, and write a table and a page each.

    EXPORT is what Moodle, Canvas, Blackboard or nbgrader give, a zip or a folder as it comes, or a folder with one
    notebook or one subfolder per student; all of one lecture. Each runs as it is inside an engine that
    keeps it in: bubblewrap, Docker or Podman, the first that works here. It has no network, and sees neither the
    solutions nor the other notebooks. Pages go to EXPORT-graded/, with the table grades.csv, a page about the class,
    and the grades and the feedback as the platform imports them. Rules stand in course/grading.yml, your own points
    and comments in manual.csv beside the pages. What has not changed is not run again.
    The exit status is 1 when a submission could not be graded.
    """
    if engine and unconfined:
        raise click.UsageError("--engine and --unconfined exclude each other: type one of them.")
    from k2c.course.syllabus import load_syllabus
    from k2c.runs.grading import Unconfined, find_engine, grade_export, read_export

    found = read_export(export)
    name = load_syllabus().lecture_name(lecture) if lecture else None
    stem = export.stem if export.suffix.lower() == ".zip" else export.resolve().name
    out = out or export.resolve().with_name(f"{stem}-graded")
    csv_file = csv_file or out / "grades.csv"
    hidden = [path for one in (export, out) for path in (one.absolute(), one.resolve())]
    chosen = Unconfined() if unconfined else find_engine(engine, hidden)
    limits, workers = _limits(timeout, memory, workers)
    for what, how in chosen.describe(limits).items():
        console.say((f"{what}: {how}", "dim" if chosen.confined else "red"))
    each = f"{limits.seconds:g} s and {limits.memory / 1e9:.3g} GB each"
    console.say((f"notebooks: {workers} at a time, {each}", "dim"))
    with when_stopped(f"What was graded is in {csv_file}."):
        grades = grade_export(found, out, csv_file, name, limits, workers, chosen, roster, _say)
    console.say((_counted(found), "dim"))
    console.say(f"Table: {csv_file}\nPages: {out / 'index.html'}")
    sys.exit(0 if all(grade.status in ("graded", "nothing handed in") for grade in grades) else 1)


def _limits(timeout: float, gigabytes: float, workers: int | None) -> "tuple[SubmissionLimits, int]":
    """Divide the cores among as many notebooks as fit into the memory; none is promised more than there is."""
    from k2c._system.machine import usable_cores, usable_memory
    from k2c.runs.grading import SubmissionLimits

    memory = min(int(gigabytes * 1e9), usable_memory())
    most = SubmissionLimits(timeout, memory, 1)
    fitting = usable_memory() // (memory + 2 * most.files)
    workers = workers or max(1, min(usable_cores(), fitting))
    return replace(most, threads=max(1, usable_cores() // workers)), workers


def _counted(found: "Export") -> str:
    """Return how many files were read, and why others were not."""
    out = found.left_out.total()
    why = "; ".join(f"{reason} ({count})" for reason, count in found.left_out.most_common())
    words = (
        f"{found.platform}: read {found.files - out} files of {len(found.hand_ins)} students, left out {out}"
    )
    return f"{words}: {why}" if why else words


def _say(grade: "Grade") -> None:
    colour = "green" if grade.status == "graded" else "red"
    count = f"{grade.right} of {len(grade.verdicts)} right" if grade.verdicts else ""
    name, detail = (grade.student, "bold"), (grade.detail, "dim")
    console.say((grade.status, colour), "  ", name, f"  {count}  ", detail)

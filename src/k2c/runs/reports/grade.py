"""Pages of graded submissions. What a student wrote or printed is shown as text, and only PNGs and JPEGs as images."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c._system.machine import describe_machine, package_versions
from k2c._system.printable import plain
from k2c.course.exercises import Verdict
from k2c.course.syllabus import load_syllabus
from k2c.runs.reports.pages import render

_IMAGES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}  # how their files begin
LONGEST = 20_000  # characters of one output on the page
IMAGE_BYTES = 3_000_000


@dataclass(frozen=True)
class Lateness:
    """Whether a notebook came late, by how many days, and what percentage that costs; None where it is not known."""

    late: bool | None = None
    days: float | None = None
    percent: float = 0.0


@dataclass
class Score:
    """What a student gets: points per exercise, what they are out of, and the percentage after all rules."""

    points: dict[str, float] = field(default_factory=dict)
    possible: dict[str, float] = field(default_factory=dict)
    percent: float = 0.0
    comments: list[str] = field(default_factory=list)


@dataclass
class Grade:
    """One student's row.

    Attributes
    ----------
    id, prefix
        The platform's number of the student, and what its file names begin with.
    lateness, score
        Whether the notebook came late, and the points and the percentage that the rules make of it all.
    status
        `graded`, `edited checks` (graded too, by the course's own checks), `timed out`, `out of memory`, `too many
        processes`, `crashed`, `wrong lecture`, `not a notebook`, `several notebooks`, `empty`, `nothing
        handed in` or `not graded`.
    detail
        What happened, in a sentence or two; empty where nothing did.
    verdicts
        By exercise: `right`, `wrong` or `not attempted`, with what the first failing case gave; `not reached` where
        the notebook ended before.
    """

    student: str
    file: str
    page: str
    id: str = ""
    prefix: str = ""
    lateness: Lateness = Lateness()
    score: Score = field(default_factory=Score)
    status: str = "not graded"
    detail: str = ""
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0
    notebook: NotebookNode | None = None

    @property
    def right(self) -> int:
        """The number of exercises that are right."""
        return sum(verdict.status == "right" for verdict in self.verdicts.values())


def write_page(grade: Grade, lecture: str, engine: str, confined: bool, path: Path) -> None:
    """Write one student's page: the verdicts, what happened, what kept it in, and the notebook as it ran."""
    cells = (
        [_cell(number, cell) for number, cell in enumerate(grade.notebook.cells, 1)] if grade.notebook else []
    )
    title = load_syllabus().lectures[lecture].title
    shown = {"grade": grade, "cells": cells, "lecture": title, "engine": engine, "confined": confined}
    _write(path, "grade.html.j2", **shown)


def write_index(
    grades: list[Grade], exercises: list[str], lecture: str, shown: dict[str, Any], out: Path
) -> None:
    """Write the table of all students.

    Parameters
    ----------
    grades, exercises, lecture, out
        As in the table.
    shown
        How the submissions ran: `limits`, `confinement` by subject, whether they were `confined`, the `profile`, and
        how many of the `cases` are `hidden`.
    """
    _write(
        out / "index.html", "grades.html.j2",
        grades=grades, exercises=exercises, lecture=load_syllabus().lectures[lecture].title,
        machine=describe_machine(), versions=package_versions(), **shown,
    )  # fmt: skip


def _write(path: Path, template: str, **values: Any) -> None:
    with atomic_path(path) as part:
        part.write_text(render(template, **values), encoding="utf-8", errors="replace")


def _cell(number: int, cell: Any) -> dict[str, Any]:
    return {
        "number": number,
        "kind": cell.cell_type,
        "source": cell.source,
        "exercise": "exercise" in cell.metadata.get("tags", ()),
        "outputs": [_output(output) for output in cell.get("outputs", ())],
    }


def _output(output: Any) -> dict[str, str]:
    data = output.get("data", {})
    if image := _safe_image(output):
        return {"image": image}
    if output.output_type == "error":
        text = "\n".join(output.get("traceback", ())) or f"{output.ename}: {output.evalue}"
    else:
        text = output.get("text") or data.get("text/plain") or data.get("text/html") or ""
    text = plain(text, lines=True)
    cut = f"\n[{len(text) - LONGEST:,} more characters]" if len(text) > LONGEST else ""
    return {"text": text[:LONGEST] + cut, "error": "error" if output.output_type == "error" else ""}


def _safe_image(output: Any) -> str | None:
    """Return an image as a data URI, encoded again from its bytes, if it is a PNG or a JPEG of a sensible size."""
    kind, encoded = next(
        ((kind, text) for kind in _IMAGES if isinstance(text := output.get("data", {}).get(kind), str)),
        ("", ""),
    )
    if not encoded or len(encoded) > IMAGE_BYTES:
        return None
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(_IMAGES[kind]):
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

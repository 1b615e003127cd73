"""The gradebook: a table with a row per student, what Moodle and Canvas import, and the pages packed as they came."""

import csv
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from k2c._system.atomic import atomic_path
from k2c._system.printable import spreadsheet_cell
from k2c.errors import K2CError
from k2c.runs.grading.rules import read_class_table
from k2c.runs.reports.grade import Grade

TABLE, WORKSHEET, MOODLE, CANVAS, FEEDBACK = (
    "grades.csv",
    "moodle-worksheet.csv",
    "moodle-gradebook.csv",
    "canvas.csv",
    "feedback.zip",
)
_WORKSHEET_COLUMNS = (
    "Identifier",
    "Full name",
    "Email address",
    "Grade",
    "Maximum Grade",
    "Last modified (grade)",
    "Feedback comments",
)
_CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


class Roster:
    """The class as the platform lists it: Moodle's grading worksheet or gradebook, Canvas' gradebook, or a plain table.

    Attributes
    ----------
    columns
        Of the file.
    rows
        One per student, without Canvas' row of possible points, which is in `possible`.
    """

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.columns = list(rows[0]) if rows else []
        aside = [row for row in rows if row.get("Student", "").strip().startswith("Points Possible")]
        self.possible = aside[0] if aside else {}
        listed = [row for row in rows if row not in aside]
        self.rows = [row for row in listed if any(self.key(row)) and row.get("Student") != "Student, Test"]

    @classmethod
    def read(cls, file: Path | None) -> "Roster":
        """Read the table that the platform exports.

        Raises
        ------
        K2CError
            When it has no column of names.
        """
        if file is None:
            return cls([])
        roster = cls(read_class_table(file))
        if not roster.rows:
            raise K2CError(
                f"{file} lists no student. Take Moodle's grading worksheet, an export of Moodle's or "
                "Canvas' gradebook, or a CSV with columns id and name."
            )
        return roster

    @property
    def platform(self) -> str:
        """`moodle`, `canvas` or an empty string."""
        if "Identifier" in self.columns or "Email address" in self.columns:
            return "moodle"
        return "canvas" if {"Student", "ID"} <= {*self.columns} else ""

    def key(self, row: Mapping[str, str]) -> tuple[str, str]:
        """Return the number that the platform's file names have, and the name."""
        number = (
            row.get("Identifier", "").removeprefix("Participant ") or row.get("ID", "") or row.get("id", "")
        )
        first_last = f"{row.get('First name', '')} {row.get('Last name', '') or row.get('Surname', '')}"
        name = row.get("Full name") or row.get("Student") or row.get("name") or first_last
        return number.strip(), name.strip()

    def row(self, id: str, name: str) -> dict[str, str]:
        """Return a student's row: by number, else by the name if it is one student's; empty where there is none."""
        for row in self.rows if id else ():
            if self.key(row)[0] == id:
                return row
        named = [row for row in self.rows if _plain(self.key(row)[1]) == _plain(name)]
        return named[0] if len(named) == 1 else {}


def _plain(name: str) -> str:
    return "".join(sorted(re.findall(r"\w+", name.casefold())))


def write_gradebook(
    grades: list[Grade], exercises: list[str], platform: str, roster: Roster, title: str, out: Path
) -> list[Path]:
    """Write what goes back: the platform's import files and the zip of pages.

    Parameters
    ----------
    grades
        In the table's order.
    exercises
        Those of the lecture.
    platform
        Where the submissions come from: what only another platform imports is not written.
    roster
        The class; its columns are kept where it is the file that is imported again.
    title
        The assignment's name.
    out
        The folder with the pages.

    Returns
    -------
    list of Path
        The files.
    """
    written = []
    if "moodle" in (platform, roster.platform):
        written.append(_worksheet(grades, exercises, roster, out / WORKSHEET))
        if {"Email address", "ID number"} & {*roster.columns}:
            written.append(_moodle(grades, exercises, roster, title, out / MOODLE))
    if "canvas" in (platform, roster.platform):
        written.append(_canvas(grades, roster, title, out / CANVAS))
    return [*written, _feedback(grades, platform, out)]


def write_grades(grades: list[Grade], exercises: list[str], path: Path) -> None:
    """Write the table: a row per student, points by exercise, and the verdict of each beside it."""
    columns = [
        "id",
        "student",
        "late",
        "status",
        "percent",
        *exercises,
        *(f"{name} verdict" for name in exercises),
    ]
    columns += ["right", "of", "comments", "seconds", "peak_memory_mb", "file", "page", "detail"]
    rows: list[list[Any]] = []
    for grade in grades:
        late = {True: "yes", False: "no", None: ""}[grade.lateness.late]
        points = [f"{grade.score.points[name]:g}" if name in grade.score.points else "" for name in exercises]
        verdicts = [grade.verdicts[name].status if name in grade.verdicts else "" for name in exercises]
        row: list[Any] = [
            grade.id,
            grade.student,
            late,
            grade.status,
            f"{grade.score.percent:g}",
            *points,
            *verdicts,
        ]
        row += [grade.right, len(exercises), " ".join(grade.score.comments)]
        row += [f"{grade.seconds:.1f}", round(grade.peak_memory / 1e6), grade.file, grade.page, grade.detail]
        rows.append(row)
    _write(path, [columns, *rows])


def feedback(grade: Grade, exercises: list[str]) -> str:
    """Return in a few sentences what a student is told beside the number."""
    said = [f"{name}: {grade.verdicts[name].status}." for name in exercises if name in grade.verdicts]
    status = [] if grade.status in ("graded", "edited checks") else [f"{grade.status}: {grade.detail}"]
    return " ".join([*said, *status, *grade.score.comments])


def _worksheet(grades: list[Grade], exercises: list[str], roster: Roster, path: Path) -> Path:
    """Write the worksheet that an assignment of Moodle takes back: of its columns, Grade and the comments change."""
    own = "Identifier" in roster.columns
    rows = []
    for grade in grades:
        known = roster.row(grade.id, grade.student)
        most = float(known.get("Maximum Grade", "").replace(",", ".") or 100) if own else 100.0
        filled = {
            "Identifier": f"Participant {grade.id}",
            "Full name": grade.student,
            "Email address": known.get("Email address", ""),
            "Maximum Grade": f"{most:.2f}",
            "Last modified (grade)": "-",
        }
        filled |= known if own else {}
        filled |= {
            "Grade": f"{grade.score.percent * most / 100:.2f}",
            "Feedback comments": feedback(grade, exercises),
        }
        rows.append(filled)
    columns = [*roster.columns] if own else [*_WORKSHEET_COLUMNS]
    columns += [name for name in _WORKSHEET_COLUMNS if name not in columns and name != "Email address"]
    return _write(path, [columns, *([row.get(name, "") for name in columns] for row in rows)])


def _moodle(grades: list[Grade], exercises: list[str], roster: Roster, title: str, path: Path) -> Path:
    """Write what Moodle's gradebook imports: whom it is, by address or number, with the grade and the feedback."""
    names = [name for name in ("Email address", "ID number") if name in roster.columns]
    rows = [[*names, title, f"{title} (feedback)"]]
    for grade in grades:
        known = roster.row(grade.id, grade.student)
        if known:  # without, Moodle cannot tell who it is and refuses the whole file
            who = [known.get(name, "") for name in names]
            rows.append([*who, f"{grade.score.percent:.2f}", feedback(grade, exercises)])
    return _write(path, rows)


def _canvas(grades: list[Grade], roster: Roster, title: str, path: Path) -> Path:
    """Write what Canvas' gradebook imports: its five columns of the student, and the assignment's."""
    most = float(roster.possible.get(title, "") or 100)
    rows = [[*_CANVAS_COLUMNS, title], ["    Points Possible", "", "", "", "", f"{most:g}"]]
    for grade in grades:
        filled = {"Student": grade.student, "ID": grade.id} | roster.row(grade.id, grade.student)
        rows.append(
            [*(filled.get(name, "") for name in _CANVAS_COLUMNS), f"{grade.score.percent * most / 100:.2f}"]
        )
    return _write(path, rows)


def _feedback(grades: list[Grade], platform: str, out: Path) -> Path:
    """Pack each student's page where the platform looks for it: in the export's folders, or under its prefixes."""
    path = out / FEEDBACK
    with atomic_path(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for grade in grades:
            if grade.page and (out / grade.page).is_file():
                archive.write(out / grade.page, _place(grade, platform))
    return path


def _place(grade: Grade, platform: str) -> str:
    match platform:
        case "moodle":
            return f"{grade.prefix}_/feedback.html"
        case "canvas":
            return f"{grade.prefix}feedback.html"
        case "blackboard":
            return f"{grade.prefix}_feedback.html"
        case "nbgrader":
            return f"feedback/{grade.prefix}/{Path(grade.file).stem or 'feedback'}.html"
    return grade.page


def _write(path: Path, rows: Iterable[Iterable[Any]]) -> Path:
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_cell(value) for value in row] for row in rows)
    return path


def _cell(value: Any) -> Any:
    return value if value == "-" else spreadsheet_cell(value)  # a date that is none, for Moodle

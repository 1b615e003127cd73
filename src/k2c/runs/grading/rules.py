"""How verdicts become points: the rules of `course/grading.yml`, lateness, and what the teacher adds by hand."""

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from k2c._system.paths import project_root
from k2c._system.plain_file import read_text
from k2c._system.printable import printable
from k2c._system.yaml_file import read_yaml
from k2c.course.exercises import Verdict
from k2c.course.parameters import Strict
from k2c.errors import K2CError
from k2c.runs.reports.grade import Lateness, Score

RULES, MANUAL = "course/grading.yml", "manual.csv"
MANUAL_COLUMNS = ("id", "student", "exercise", "points", "comment")
_DURATION = re.compile(r"(\d+)\s*(day|hour|min)")
_DAYS = {"day": 1.0, "hour": 1 / 24, "min": 1 / 1440}


def _date(text: str) -> str:
    datetime.fromisoformat(text)  # raises ValueError, which pydantic reports with the place
    return text


class Late(Strict):
    """What lateness costs: a percentage for each day begun after the grace, up to a most."""

    grace_minutes: float = Field(default=0, ge=0)
    percent_per_day: float = Field(default=0, ge=0, le=100)
    at_most_percent: float = Field(default=100, ge=0, le=100)


class Rules(Strict):
    """`course/grading.yml`; what is not written there has these values.

    Attributes
    ----------
    seed, cases
        Of the hidden checks' random cases, and for whom they are drawn.
    profile
        With which parameters a notebook runs.
    run
        Which of its cells: all, or those that the answers rest on.
    late
        What lateness costs.
    due
        By lecture, when it was due: an ISO date, in the machine's time zone unless it has one.
    assignments
        By lecture, what the platform calls the column; the lecture's title unless it is here.
    """

    seed: int = Field(default=0, ge=0)
    cases: Literal["same", "per student"] = "same"
    profile: Literal["smoke", "lecture", "as handed in"] = "as handed in"
    run: Literal["exercises", "everything"] = "everything"
    late: Late = Late()
    due: dict[str, Annotated[str, AfterValidator(_date)]] = Field(default_factory=dict)
    assignments: dict[str, str] = Field(default_factory=dict)


def load_rules() -> Rules:
    """Return the rules of `course/grading.yml`, or those that hold where there is none.

    Raises
    ------
    K2CError
        Naming the entry that is wrong.
    """
    file = project_root() / RULES
    if not file.is_file():
        return Rules()
    try:
        return Rules(**(read_yaml(file) or {}))
    except (ValidationError, TypeError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else []
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems) or str(error)
        raise K2CError(f"{file} has a rule that is none: {printable(said)}.") from error


def lateness(rules: Rules, lecture: str, flag: bool | None, when: datetime | None, status: str) -> Lateness:
    """Judge what an export tells of the time.

    Parameters
    ----------
    rules, lecture
        With what lateness costs, and when the lecture was due.
    flag
        What the export says itself.
    when
        When the notebook was handed in, if the export tells.
    status
        What the platform's table of the class says: `Submitted for grading - 2 days 3 hours late`.
    """
    days, due = None, rules.due.get(lecture)
    if "late" in status or "overdue" in status:
        flag, days = (
            True,
            sum(int(number) * _DAYS[unit] for number, unit in _DURATION.findall(status)) or None,
        )
    elif status:
        flag = False
    elif when and due:
        deadline = datetime.fromisoformat(due)
        zone = deadline.tzinfo or (when.tzinfo and datetime.now().astimezone().tzinfo)
        spent = when.replace(tzinfo=when.tzinfo or zone) - deadline.replace(tzinfo=zone)
        days, flag = spent.total_seconds() / 86400, spent.total_seconds() > 0
    counted = math.ceil((1 if days is None else days) - rules.late.grace_minutes / 1440 - 1e-9)
    if not flag or counted <= 0:
        return Lateness(flag if flag is None else False, days)
    return Lateness(True, days, min(counted * rules.late.percent_per_day, rules.late.at_most_percent))


@dataclass
class Manual:
    """What the teacher has written into `manual.csv`, by student and exercise: points, and a comment."""

    rows: dict[tuple[str, str], tuple[float | None, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, exercises: list[str]) -> "Manual":
        """Read the file; one with no more than its header is written where there is none.

        Raises
        ------
        K2CError
            When a row names no exercise of the lecture, or its points are no number.
        """
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(",".join(MANUAL_COLUMNS) + "\n", encoding="utf-8")
        rows: dict[tuple[str, str], tuple[float | None, str]] = {}
        for number, row in enumerate(read_class_table(file), 2):
            who = row.get("id", "").strip() or row.get("student", "").strip()
            exercise, points = (
                row.get("exercise", "").strip(),
                row.get("points", "").strip().replace(",", "."),
            )
            if not re.fullmatch(r"[-+]?\d+(\.\d*)?|", points) or exercise not in ("", *exercises):
                raise K2CError(
                    f"{file}, line {number}: {printable(exercise)!r} is an exercise ({', '.join(exercises)}) or empty, "
                    f"for all of them, and points {printable(points)!r} are a number or empty."
                )
            rows[who, exercise] = (float(points) if points else None, row.get("comment", "").strip())
        return cls(rows)

    def of(self, ids: tuple[str, str], exercise: str = "") -> tuple[float | None, str]:
        """Return points and comment for a student, by number or name."""
        return next((self.rows[one, exercise] for one in ids if (one, exercise) in self.rows), (None, ""))


def score_of(
    verdicts: Mapping[str, Verdict],
    entries: Mapping[str, Mapping[str, Any]],
    ids: tuple[str, str],
    manual: Manual,
    late: Lateness,
) -> Score:
    """Return a student's points.

    Parameters
    ----------
    verdicts
        By exercise; what is missing gets no points.
    entries
        The lecture's exercises, with `points` and `weight`.
    ids
        The student's number and name.
    manual
        What the teacher adds: points in place of an exercise's, or without an exercise on top of all.
    late
        What is taken off, of the points that the checks and the teacher gave.
    """
    result, weighed, most = Score(), 0.0, 0.0
    for name, entry in entries.items():
        possible, weight = float(entry.get("points", 1)), float(entry.get("weight", 1))
        by_hand, comment = manual.of(ids, name)
        right = name in verdicts and verdicts[name].status == "right"
        result.possible[name] = possible
        result.points[name] = by_hand if by_hand is not None else possible * right
        weighed, most = weighed + weight * result.points[name], most + weight * possible
        result.comments += [f"{name}: {comment}"] if comment else []
    extra, comment = manual.of(ids)
    result.comments += [comment] if comment else []
    percent = 100 * (weighed + (extra or 0)) / most if most else 0.0
    result.percent = round(max(0.0, percent * (1 - late.percent / 100)), 2)
    if late.percent:
        days = "" if late.days is None else f" ({late.days:.1f} days)"
        result.comments.append(f"Handed in late{days}: {late.percent:g} % of the points are taken off.")
    return result


def read_class_table(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, whatever its encoding and whether commas, semicolons or tabs part its columns."""
    text = read_text(file)
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    return [
        {key or "": value or "" for key, value in row.items() if not isinstance(value, list)} for row in rows
    ]

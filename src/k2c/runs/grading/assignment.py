"""What all submissions of a class share: the lecture, its checks, the rules, and what each student is asked."""

import ast
import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from k2c.course.cases import hidden_cases
from k2c.course.exercises import load_solutions
from k2c.course.syllabus import load_syllabus
from k2c.runs.execution.source import run_id
from k2c.runs.grading.confinement import Engine, SubmissionLimits
from k2c.runs.grading.gradebook import Roster
from k2c.runs.grading.needed import needed_cells
from k2c.runs.grading.rules import MANUAL, Manual, Rules, lateness, score_of
from k2c.runs.grading.submissions import (
    OPENS,
    Check,
    Submission,
    course_checks,
    place_checks,
    read_helpers,
)
from k2c.runs.reports.grade import Grade

Cases = list[dict[str, Any]]


class Assignment:
    """A lecture that is graded.

    Parameters
    ----------
    lecture
        Its full name.
    out
        The folder of the pages.
    rules, roster
        How it counts, and who is in the class.
    limits, engine
        What a submission may use, and what keeps it in.
    """

    def __init__(
        self, lecture: str, out: Path, rules: Rules, roster: Roster, limits: SubmissionLimits, engine: Engine
    ) -> None:
        self.lecture, self.out, self.limits, self.engine = lecture, out, limits, engine
        self.rules, self.roster, self.stop = rules, roster, threading.Event()
        self.confinement = engine.describe(limits)
        self.entries = load_solutions()[lecture]
        self.checks = [check for check in course_checks(lecture) if check.exercise in self.entries]
        self.exercises = [check.exercise for check in self.checks]
        self.manual = Manual.read(out / MANUAL, self.exercises)
        self.version = run_id(lecture, {})
        self.title = rules.assignments.get(lecture, load_syllabus().lectures[lecture].title)
        self._same = None if rules.cases == "per student" else self._drawn("")
        one = [*(self._same or self._drawn("")).values()]
        public = sum(len(entry["checks"]) for entry in self.entries.values())
        self.cases_in_all = sum(map(len, one))
        self.hidden_in_all = self.cases_in_all - public

    def cases(self, submission: Submission) -> dict[str, Cases]:
        """Return by exercise what a student is asked: the public cases, then the hidden ones."""
        return self._same or self._drawn(submission.hand_in.id or submission.student)

    def _drawn(self, student: str) -> dict[str, Cases]:
        return {
            name: [*entry["checks"], *hidden_cases(name, entry, self.rules.seed, student)]
            for name, entry in self.entries.items()
        }

    def job(
        self, submission: Submission, cases: Mapping[str, Cases], everything: bool = False
    ) -> dict[str, Any]:
        """Return what a submission's process is given: calls, and nothing that is expected of them.

        Where the rules run only what the answers rest on, `everything` runs the rest, too.
        """
        assert submission.notebook is not None
        places = place_checks(submission, self.checks)
        asked = {str(index): [self._asked(check, cases) for check in at] for index, at in places.items()}
        notebook = copy.deepcopy(submission.notebook)
        if self.rules.run == "exercises" and not everything:
            _leave_out(notebook, places)
        if self.rules.profile != "as handed in":
            self._set_profile(notebook)
        return {"notebook": notebook, "checks": asked, "beside": read_helpers(submission)}

    def _asked(self, check: Check, cases: Mapping[str, Cases]) -> dict[str, Any]:
        calls = [case["call"] for case in cases[check.exercise]]
        uses = self.entries[check.exercise].get("uses", [])
        return {"exercise": check.exercise, "answer": check.answer, "calls": calls, "uses": uses}

    def _set_profile(self, notebook: NotebookNode) -> None:
        """Set the profile's parameters where the notebook opens its lecture."""
        settings = load_syllabus().lectures[self.lecture].settings(self.rules.profile)
        lines = [f"{name} = {value!r}" for name, value in settings.items()]
        cell = next(cell for cell in notebook.cells if _opens(cell))
        if not cell.source.startswith("%%"):
            cell.source = "\n".join([*lines, cell.source])

    def row_of(self, submission: Submission, page: str) -> Grade:
        """Return a student's row before anything was run."""
        came, known = submission.hand_in, self.roster.row(submission.hand_in.id, submission.student)
        name = self.roster.key(known)[1] or came.student
        grade = Grade(name, submission.file, page, id=came.id, prefix=came.prefix)
        late = lateness(self.rules, self.lecture, came.late, came.when, known.get("Status", ""))
        grade.lateness = late
        self.count(grade)
        return grade

    def rows_of_absent(self, grades: list[Grade]) -> list[Grade]:
        """Return rows for those of the class who have handed in nothing."""
        there = [self.roster.row(grade.id, grade.student) for grade in grades]
        absent = [self.roster.key(row) for row in self.roster.rows if row not in there]
        rows = [Grade(name or id, "", "", id=id, status="nothing handed in") for id, name in absent]
        for row in rows:
            self.count(row)
        return rows

    def count(self, grade: Grade) -> None:
        """Give the points, as far as there are verdicts."""
        ids = (grade.id, grade.student)
        grade.score = score_of(grade.verdicts, self.entries, ids, self.manual, grade.lateness)


def _opens(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(OPENS.search(cell.source))


def _leave_out(notebook: NotebookNode, places: Mapping[int, list[Check]]) -> None:
    """Empty the cells on which no answer rests; those up to the one that opens the lecture stay."""
    opened = next(index for index, cell in enumerate(notebook.cells) if _opens(cell))
    tagged = [i for i, cell in enumerate(notebook.cells) if "exercise" in cell.metadata.get("tags", ())]
    answers = {check.answer for at in places.values() for check in at}
    names = {
        node.id for answer in answers for node in ast.walk(ast.parse(answer)) if isinstance(node, ast.Name)
    }
    needed = needed_cells(notebook, {*range(opened + 1), *tagged, *places}, names)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and index not in needed:
            cell.source = ""

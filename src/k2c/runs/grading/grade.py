"""`k2c grade`: a row and a page a student, whatever the submissions do."""

import csv
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c._system.printable import spreadsheet_cell
from k2c.course.exercises import Answer, Verdict, judge, load_solutions
from k2c.runs.execution.results import collect_results
from k2c.runs.grading.confinement import Engine, SubmissionLimits
from k2c.runs.grading.exports import Export
from k2c.runs.grading.submissions import (
    Check,
    Submission,
    course_checks,
    find_submissions,
    place_checks,
    read_helpers,
)
from k2c.runs.grading.watch import Outcome, run_confined
from k2c.runs.reports.grade import Grade, write_index, write_page


def grade_export(
    export: Export,
    out: Path,
    csv_file: Path,
    lecture: str | None,
    limits: SubmissionLimits,
    workers: int,
    engine: Engine,
    listener: Callable[[Grade], None] = lambda grade: None,
) -> list[Grade]:
    """Grade every submission in what a learning platform exports.

    Parameters
    ----------
    export
        What `read_export` found.
    out
        The folder of the pages, made when it is missing; `index.html` lists them.
    csv_file
        The table, written again whenever a submission is done.
    lecture
        The lecture's full name, or None for the one that most submissions open.
    limits
        What a submission may use.
    workers
        Submissions run at a time.
    engine
        What keeps them in: `find_engine()`.
    listener
        Told of every grade as it is there.

    Returns
    -------
    list of Grade
        In the order of the students' names. Ctrl-C ends what runs, and is raised again after the table is written.
    """
    lecture, submissions = find_submissions(export, lecture)
    grades = [
        Grade(s.student, s.file, page, id=s.hand_in.id, late=s.hand_in.late)
        for s, page in _with_pages(submissions)
    ]
    assignment = _Assignment(lecture, out, limits, engine)
    out.mkdir(parents=True, exist_ok=True)

    def save() -> None:
        _write_csv(grades, assignment.exercises, csv_file)
        write_index(
            grades, assignment.exercises, lecture, limits, assignment.confinement, engine.confined, out
        )

    with ThreadPoolExecutor(workers) as pool:
        pairs = zip(submissions, grades, strict=True)
        running = [pool.submit(_grade_safely, submission, grade, assignment) for submission, grade in pairs]
        try:
            for done in as_completed(running):
                listener(done.result())
                save()
        except KeyboardInterrupt:
            assignment.stop.set()
            pool.shutdown(cancel_futures=True)
            save()
            raise
    return grades


class _Assignment:
    """What all submissions share: the lecture, its checks, the limits, what keeps them in, where pages go."""

    def __init__(self, lecture: str, out: Path, limits: SubmissionLimits, engine: Engine) -> None:
        self.lecture, self.out, self.limits, self.engine = lecture, out, limits, engine
        self.confinement = engine.describe(limits)
        self.checks = course_checks(lecture)
        solutions = load_solutions()[lecture]
        self.cases = {name: entry["checks"] for name, entry in solutions.items()}
        self.uses = {name: entry.get("uses", []) for name, entry in solutions.items()}
        self.exercises = [check.exercise for check in self.checks]
        self.stop = threading.Event()


def _grade_safely(submission: Submission, grade: Grade, assignment: _Assignment) -> Grade:
    """Grade one submission; whatever goes wrong concerns this one alone."""
    try:
        _grade(submission, grade, assignment)
        _write_page(grade, assignment)
    except Exception as error:
        grade.status, grade.notebook = "not graded", None
        grade.detail = f"The grader itself failed with {type(error).__name__}: {str(error)[:300]}."
        with suppress(Exception):  # the row says it all the same
            _write_page(grade, assignment)
    grade.notebook = submission.notebook = None  # a hundred notebooks are not kept in memory
    return grade


def _write_page(grade: Grade, assignment: _Assignment) -> None:
    engine, confined = assignment.confinement["engine"], assignment.engine.confined
    write_page(grade, assignment.lecture, engine, confined, assignment.out / grade.page)


def _grade(submission: Submission, grade: Grade, assignment: _Assignment) -> None:
    grade.notebook = submission.notebook
    if not submission.refused and submission.lecture != assignment.lecture:
        opened = f"opens {submission.lecture[:80]}" if submission.lecture else "opens no lecture"
        submission.refuse("wrong lecture", f"The notebook {opened}, not {assignment.lecture}.")
    if submission.refused or assignment.stop.is_set():
        grade.status, grade.detail = submission.refused or "not graded", submission.detail
        return
    places = place_checks(submission, assignment.checks)
    checks = {str(index): [_asked(check, assignment) for check in at] for index, at in places.items()}
    job = {"notebook": submission.notebook, "checks": checks, "beside": read_helpers(submission)}
    outcome = run_confined(job, assignment.limits, assignment.engine, assignment.stop)
    assert submission.notebook is not None
    grade.notebook = _with_outputs(submission.notebook, outcome.outputs)
    grade.seconds, grade.peak_memory = outcome.seconds, outcome.peak_memory
    grade.verdicts = {name: _verdict(name, outcome, assignment) for name in assignment.exercises}
    _say_how_it_ended(submission, grade, outcome)


def _asked(check: Check, assignment: _Assignment) -> dict[str, Any]:
    calls = [case["call"] for case in assignment.cases[check.exercise]]
    uses = assignment.uses[check.exercise]
    return {"exercise": check.exercise, "answer": check.answer, "calls": calls, "uses": uses}


def _verdict(exercise: str, outcome: Outcome, assignment: _Assignment) -> Verdict:
    if exercise not in outcome.answers:
        return Verdict("not reached")
    given = outcome.answers[exercise]
    try:
        return judge(assignment.cases[exercise], [Answer(**entry) for entry in given])
    except Exception:  # not what print_answers displays
        return Verdict("wrong", "What the answer gave cannot be read.")


def _with_outputs(notebook: NotebookNode, outputs: dict[int, Any]) -> NotebookNode:
    """Return the notebook as it was handed in, with the outputs of the run as far as they are such."""
    for index, given in outputs.items():
        if 0 <= index < len(notebook.cells) and notebook.cells[index].cell_type == "code":
            kept = [output for output in given if _is_output(output)] if isinstance(given, list) else []
            notebook.cells[index].outputs = nbformat.from_dict(kept)
    return notebook


def _is_output(output: Any) -> bool:
    """Tell whether it has what pages read of an output."""
    match output:
        case {"output_type": "stream", "text": str()}:
            return True
        case {"output_type": "error", "ename": str(), "evalue": str(), "traceback": [*lines]}:
            return all(isinstance(line, str) for line in lines)
        case {"output_type": "display_data" | "execute_result", "data": {**data}, "metadata": {}}:
            return all(isinstance(value, str) for key, value in data.items() if "json" not in str(key))
    return False


def _say_how_it_ended(submission: Submission, grade: Grade, outcome: Outcome) -> None:
    claimed = collect_results(grade.notebook)["exercises"] if grade.notebook else {}
    for name, verdict in grade.verdicts.items():
        if claimed.get(name) == "right" and verdict.status in ("wrong", "not attempted"):
            submission.notes.append(
                f"The notebook's own output says that {name} is right, and it is {verdict.status}."
            )
    if outcome.end == "done":
        grade.status = "edited checks" if submission.notes else "graded"
        failing = _first_error(grade.notebook)
        sentences = [*submission.notes, *submission.remarks, *([failing] if failing else [])]
    else:
        grade.status = outcome.end
        where = f" in cell {outcome.cell + 1}" if outcome.cell >= 0 else ""
        reason = f": {outcome.error.rstrip('.')}" if outcome.error else ""
        sentences = [f"Stopped{where}{reason}.", *submission.notes, *submission.remarks]
    grade.detail = " ".join(sentences)


def _first_error(notebook: NotebookNode | None) -> str:
    for index, cell in enumerate(notebook.cells if notebook else ()):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return f"Cell {index + 1} raised {output.ename}: {str(output.evalue)[:200]}"
    return ""


def _with_pages(submissions: list[Submission]) -> list[tuple[Submission, str]]:
    """Give every submission a page with a name that is safe on any file system, and its own."""
    taken: set[str] = {"index.html"}
    named = []
    for submission in submissions:
        stem = re.sub(r"[^\w.-]+", "_", submission.student).strip("._")[:80] or "student"
        page, number = f"{stem}.html", 2
        while page.lower() in taken:
            page, number = f"{stem}-{number}.html", number + 1
        taken.add(page.lower())
        named.append((submission, page))
    return named


def _write_csv(grades: list[Grade], exercises: list[str], path: Path) -> None:
    columns = [
        "id",
        "student",
        "late",
        "status",
        "right",
        "of",
        *exercises,
        "seconds",
        "peak_memory_mb",
        "file",
        "page",
        "detail",
    ]
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for grade in grades:
            late = {True: "yes", False: "no", None: ""}[grade.late]
            verdicts = [grade.verdicts[name].status if name in grade.verdicts else "" for name in exercises]
            used = [f"{grade.seconds:.1f}", round(grade.peak_memory / 1e6)]
            row = [grade.id, grade.student, late, grade.status, grade.right, len(exercises), *verdicts, *used]
            table.writerow(
                [spreadsheet_cell(value) for value in [*row, grade.file, grade.page, grade.detail]]
            )

"""`k2c grade`: a row and a page a student, whatever the submissions do."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from k2c.course.exercises import Answer, Verdict, judge
from k2c.runs.execution.results import collect_results
from k2c.runs.execution.source import notebook_path
from k2c.runs.grading.assignment import Assignment, Cases
from k2c.runs.grading.confinement import Engine, SubmissionLimits
from k2c.runs.grading.exports import Export
from k2c.runs.grading.gradebook import Roster, write_gradebook, write_grades
from k2c.runs.grading.kept import kept_or_run
from k2c.runs.grading.rules import load_rules
from k2c.runs.grading.similarity import GRAM, resemblances
from k2c.runs.grading.submissions import Submission, exercise_cells, find_submissions
from k2c.runs.grading.watch import DEEPEST, Outcome, run_confined
from k2c.runs.reports.class_page import write_class_page
from k2c.runs.reports.grade import Grade, write_index, write_page

SAVE_SECONDS = 5.0  # from one writing of the table to the next, while submissions run
KEPT = "kept"  # beside the pages: what submissions gave


def grade_export(
    export: Export,
    out: Path,
    csv_file: Path,
    lecture: str | None,
    limits: SubmissionLimits,
    workers: int,
    engine: Engine,
    roster: Path | None = None,
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
        The table, written again while submissions are done.
    lecture
        The lecture's full name, or None for the one that most submissions open.
    limits
        What a submission may use.
    workers
        Submissions run at a time.
    engine
        What keeps them in: `find_engine()`.
    roster
        The platform's table of the class, if there is one.
    listener
        Told of every grade as it is there.

    Returns
    -------
    list of Grade
        In the order of the students' names. Ctrl-C ends what runs, and is raised again after the table is written.
    """
    out.mkdir(parents=True, exist_ok=True)
    lecture, submissions = find_submissions(export, lecture)
    assignment = Assignment(lecture, out, load_rules(), Roster.read(roster), limits, engine)
    grades = [assignment.row_of(submission, page) for submission, page in _with_pages(submissions)]
    everybody = sorted([*grades, *assignment.rows_of_absent(grades)], key=lambda one: one.student.casefold())
    saved = 0.0
    with ThreadPoolExecutor(workers) as pool:
        pairs = zip(submissions, grades, strict=True)
        running = [pool.submit(_grade_safely, submission, grade, assignment) for submission, grade in pairs]
        try:
            for done in as_completed(running):
                listener(done.result())
                if time.monotonic() - saved > SAVE_SECONDS:
                    _save(everybody, assignment, csv_file)
                    saved = time.monotonic()
        except KeyboardInterrupt:
            assignment.stop.set()
            pool.shutdown(cancel_futures=True)
            _save(everybody, assignment, csv_file)
            raise
    _save(everybody, assignment, csv_file)
    _write_what_goes_back(everybody, submissions, grades, assignment, export)
    return everybody


def _save(grades: list[Grade], assignment: Assignment, csv_file: Path) -> None:
    write_grades(grades, assignment.exercises, csv_file)
    shown = {
        "limits": assignment.limits,
        "confinement": assignment.confinement,
        "confined": assignment.engine.confined,
        "profile": assignment.rules.profile,
        "run": assignment.rules.run,
        "cases": assignment.cases_in_all,
        "hidden": assignment.hidden_in_all,
    }
    write_index(grades, assignment.exercises, assignment.lecture, shown, assignment.out)


def _write_what_goes_back(
    everybody: list[Grade],
    submissions: list[Submission],
    grades: list[Grade],
    assignment: Assignment,
    export: Export,
) -> None:
    """Write what the platform imports, and the page about the class."""
    exercises, out, lecture = assignment.exercises, assignment.out, assignment.lecture
    write_gradebook(everybody, exercises, export.platform, assignment.roster, assignment.title, out)
    sources = {grade.page: submission.answers for submission, grade in zip(submissions, grades, strict=True)}
    given = [*exercise_cells(nbformat.read(notebook_path(lecture), as_version=4))]
    given += [entry["solution"] for entry in assignment.entries.values()]
    files = {"platform": export.platform, "files": export.files, "left_out": export.left_out}
    write_class_page(everybody, exercises, lecture, resemblances(sources, given), GRAM, files, out)


def _grade_safely(submission: Submission, grade: Grade, assignment: Assignment) -> Grade:
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


def _write_page(grade: Grade, assignment: Assignment) -> None:
    engine, confined = assignment.confinement["engine"], assignment.engine.confined
    write_page(grade, assignment.lecture, engine, confined, assignment.out / grade.page)


def _grade(submission: Submission, grade: Grade, assignment: Assignment) -> None:
    grade.notebook = submission.notebook
    if not submission.refused and submission.lecture != assignment.lecture:
        opened = f"opens {submission.lecture[:80]}" if submission.lecture else "opens no lecture"
        submission.refuse("wrong lecture", f"The notebook {opened}, not {assignment.lecture}.")
    if submission.refused or assignment.stop.is_set():
        grade.status, grade.detail = submission.refused or "not graded", submission.detail
        return
    assert submission.notebook is not None
    cases = assignment.cases(submission)
    outcome = _outcome(submission, cases, assignment)
    submission.answers = exercise_cells(submission.notebook)
    grade.notebook = _with_outputs(submission.notebook, outcome.outputs)
    grade.seconds, grade.peak_memory = outcome.seconds, outcome.peak_memory
    grade.verdicts = {name: _verdict(name, outcome, cases[name]) for name in assignment.exercises}
    _say_how_it_ended(submission, grade, outcome)
    assignment.count(grade)


def _outcome(submission: Submission, cases: dict[str, Cases], assignment: Assignment) -> Outcome:
    """Run what the answers rest on; all of the notebook where that was not enough."""
    for everything in (False, True):
        job = assignment.job(submission, cases, everything)
        run = partial(run_confined, job, assignment.limits, assignment.engine, assignment.stop)
        outcome = kept_or_run(job, assignment.version, assignment.out / KEPT, run)
        if assignment.rules.run == "everything" or "NameError" not in str(outcome.answers):
            break
    return outcome


def _verdict(exercise: str, outcome: Outcome, cases: Cases) -> Verdict:
    if exercise not in outcome.answers:
        return Verdict("not reached")
    given = outcome.answers[exercise]
    try:
        return judge(cases, [Answer(**entry) for entry in given])
    except Exception:  # not what print_answers displays
        why = f"it is missing, larger than 1 MB, or has lists in lists more than {DEEPEST} deep"
        return Verdict("wrong", f"What the answer gave cannot be read: {why}.")


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
    taken: set[str] = {"index.html", "class.html"}
    named = []
    for submission in submissions:
        stem = re.sub(r"[^\w.-]+", "_", submission.student).strip("._")[:80] or "student"
        page, number = f"{stem}.html", 2
        while page.lower() in taken:
            page, number = f"{stem}-{number}.html", number + 1
        taken.add(page.lower())
        named.append((submission, page))
    return named

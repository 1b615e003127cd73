"""What students handed in: read without running anything, and compared with the course's notebook."""

import ast
import base64
import re
from collections import Counter
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode

from k2c.course.exercises import load_solutions
from k2c.errors import K2CError
from k2c.runs.execution.source import notebook_path
from k2c.runs.grading.exports import Export, HandIn
from k2c.runs.grading.files import DEEPEST, Item
from k2c.runs.grading.notebook_file import read_notebook

MOST_NOTEBOOKS, MOST_HELPERS, HELPER_BYTES = 20, 50, 5_000_000
OPENS = re.compile(r"""open_lecture\(\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Check:
    """One check cell of the course: its exercise, the expression that is checked, the cell's id and its source."""

    exercise: str
    answer: str
    cell: str
    source: str


@dataclass
class Submission:
    """What one student handed in.

    Attributes
    ----------
    student, id, late
        Name and number, and whether it is late, as far as the export tells; `late` is None where it does not.
    hand_in
        The files as they came.
    file
        The notebook, or what was found instead; empty where there is nothing.
    notebook
        What the file holds, or None when it cannot be graded.
    lecture
        The lecture that it opens, or an empty string.
    refused
        The status of a submission that is not run, or an empty string.
    detail
        Why, in a sentence.
    notes, remarks
        What somebody has to look at (edited checks), and what is only said.
    helpers
        The files beside the notebook, which it gets when it runs.
    answers
        The code of its exercises, kept when the notebook itself is no longer needed.
    """

    hand_in: HandIn
    file: str = ""
    notebook: NotebookNode | None = None
    lecture: str = ""
    refused: str = ""
    detail: str = ""
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    helpers: dict[str, Item] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    @property
    def student(self) -> str:
        """The student's name."""
        return self.hand_in.student

    def refuse(self, status: str, detail: str) -> None:
        """Keep it from being run."""
        self.refused, self.detail = status, detail


@dataclass
class _Candidate:
    item: Item
    notebook: NotebookNode | None = None
    problem: str = ""
    lecture: str = ""


def find_submissions(export: Export, lecture: str | None) -> tuple[str, list[Submission]]:
    """Read what every student handed in, and choose each one's notebook: the one that opens the lecture.

    Parameters
    ----------
    export
        What `read_export` found.
    lecture
        The lecture's full name, or None for the one that most submissions open.

    Returns
    -------
    tuple of str and list of Submission
        The lecture, and a submission per student in the order of the export.

    Raises
    ------
    K2CError
        When the lecture is None and the submissions do not say which it is.
    """
    found = [(hand_in, _candidates(hand_in)) for hand_in in export.hand_ins]
    lecture = lecture or _common_lecture([one for _, candidates in found for one in candidates])
    return lecture, [_chosen(*one, lecture, export.left_out) for one in found]


def _candidates(hand_in: HandIn) -> list[_Candidate]:
    """Read a student's notebooks, or a single file that is something else; not more of them than anybody hands in."""
    notebooks = [item for item in hand_in.items if item.path.suffix.lower() == ".ipynb"]
    newest_first = sorted(notebooks or hand_in.items[:1], key=lambda item: -item.written)
    return [_read(item) for item in newest_first[:MOST_NOTEBOOKS]]


def _read(item: Item) -> _Candidate:
    found = _Candidate(item)
    try:
        content = item.read()
        if item.path.suffix.lower() == ".zip":
            raise ValueError(f"a zip that is damaged, encrypted or in {DEEPEST} other ones")
        if content.strip():
            found.notebook = read_notebook(content)
            opened = [match for source in code_sources(found.notebook) for match in OPENS.findall(source)]
            found.lecture = opened[0] if opened else ""
    except Exception as error:  # whatever a damaged or hostile file makes the readers raise
        found.problem = str(error).split("\n")[0][:200] or type(error).__name__
    return found


def _chosen(
    hand_in: HandIn, candidates: list[_Candidate], lecture: str, left_out: Counter[str]
) -> Submission:
    submission = Submission(hand_in)
    if not candidates:
        submission.refuse("empty", "The folder is empty.")
        return submission
    right = [one for one in candidates if one.lecture == lecture]
    chosen = next(iter(right or [one for one in candidates if one.lecture] or candidates))
    submission.file, submission.notebook = chosen.item.path.as_posix(), chosen.notebook
    submission.lecture = chosen.lecture
    _judge_files(submission, chosen, right)
    submission.helpers = _helpers(submission, chosen.item, left_out)
    return submission


def _judge_files(submission: Submission, chosen: _Candidate, right: list[_Candidate]) -> None:
    """Refuse what cannot be graded; note which of several notebooks was taken."""
    alike = [one for one in right if one.item.written == chosen.item.written]
    if len(alike) > 1:
        names = ", ".join(one.item.path.as_posix() for one in alike)
        submission.refuse("several notebooks", f"{len(alike)} notebooks open the lecture: {names}. Keep one.")
    elif chosen.problem:
        name = chosen.item.path.name
        submission.refuse("not a notebook", f"{name} cannot be read as a notebook: {chosen.problem}.")
    elif chosen.notebook is None:
        submission.refuse("empty", "The file has no content.")
    elif not any(source.strip() for source in code_sources(chosen.notebook)):
        submission.refuse("empty", "The notebook has no code.")
    elif len(right) > 1:
        submission.remarks.append(f"Of {len(right)} notebooks that open the lecture, the newest was graded.")


def _helpers(submission: Submission, chosen: Item, left_out: Counter[str]) -> dict[str, Item]:
    """Return what lies beside and below the notebook; count what a notebook does not get."""
    helpers: dict[str, Item] = {}
    for item in submission.hand_in.items:
        if item is chosen:
            continue
        if item.path.suffix.lower() == ".ipynb":
            left_out["another notebook of the same student"] += 1
        elif submission.refused or not item.path.is_relative_to(chosen.path.parent):
            left_out["a file that is no notebook"] += 1
        else:
            helpers[item.path.relative_to(chosen.path.parent).as_posix()] = item
    return helpers


def read_helpers(submission: Submission) -> dict[str, str]:
    """Return the files that a notebook gets when it runs, in Base64; note those that it does not get."""
    content: dict[str, str] = {}
    for name, item in submission.helpers.items():
        try:
            helper = item.read()
        except Exception:  # damaged, or a link
            helper = None
        if helper is None or len(helper) > HELPER_BYTES or len(content) == MOST_HELPERS:
            note = f"{name[:100]} was not given to the notebook: it is damaged or too large."
            submission.remarks += [] if note in submission.remarks else [note]
        else:
            content[name] = base64.b64encode(helper).decode("ascii")
    return content


def _common_lecture(candidates: list[_Candidate]) -> str:
    """Return the lecture that most notebooks open."""
    known = Counter(one.lecture for one in candidates if one.lecture in load_solutions()).most_common(2)
    if not known or (len(known) == 2 and known[0][1] == known[1][1]):
        raise K2CError("The submissions do not say of which lecture they are. Name it: --lecture 01")
    return known[0][0]


def course_checks(lecture: str) -> list[Check]:
    """Return the check cells of the course's notebook, in order."""
    checks = []
    for cell in nbformat.read(notebook_path(lecture), as_version=4).cells:
        if cell.cell_type == "code":
            checks += [
                Check(name, answer, cell.get("id", ""), cell.source) for name, answer in _calls(cell.source)
            ]
    return checks


def _calls(source: str) -> list[tuple[str, str]]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic command
        return []
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 2)
    return [
        (str(call.args[0].value), ast.unparse(call.args[1]))
        for call in calls
        if ast.unparse(call.func) in ("k2c.check", "check") and isinstance(call.args[0], ast.Constant)
    ]


def place_checks(submission: Submission, checks: list[Check]) -> dict[int, list[Check]]:
    """Say after which cell each check is made; note the check cells that were edited or removed.

    A check whose cell is not there is made after the last cell.
    """
    assert submission.notebook is not None
    cells = submission.notebook.cells
    by_id = {cell.get("id"): index for index, cell in enumerate(cells)}
    by_source = {_plain(cell.source): index for index, cell in enumerate(cells) if cell.cell_type == "code"}
    places: dict[int, list[Check]] = {}
    for check in checks:
        place = by_source.get(_plain(check.source))
        if place is None:
            place = by_id.get(check.cell, len(cells) - 1)
            word = "edited" if check.cell in by_id else "removed"
            note = f"The check cell of {check.exercise} was {word}."
            submission.notes += [] if note in submission.notes else [note]
        places.setdefault(place, []).append(check)
    return places


def code_sources(notebook: NotebookNode | None) -> list[str]:
    """Return the sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"] if notebook else []


def exercise_cells(notebook: NotebookNode) -> list[str]:
    """Return the code of the exercises: the cells with that tag, or all where an editor has lost the tags."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tagged = [cell.source for cell in code if "exercise" in cell.metadata.get("tags", ())]
    return tagged or [cell.source for cell in code]


def _plain(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())

"""What students handed in: found in a folder, read without running anything, compared with the course's notebook."""

import ast
import json
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from k2c.course.exercises import load_solutions
from k2c.errors import K2CError
from k2c.runs.execution.execute import notebook_path

MAXIMUM_BYTES, MAXIMUM_CELLS = 20_000_000, 2000
_OPENS = re.compile(r"""open_lecture\(\s*["']([^"']+)["']""")


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
    student
        The name of the file or of the subfolder.
    file
        The notebook, or what was found instead; None where there is nothing.
    notebook
        What the file holds, or None when it cannot be graded.
    lecture
        The lecture that it opens, or an empty string.
    refused
        The status of a submission that is not run, or an empty string.
    detail
        Why, in a sentence.
    """

    student: str
    file: Path | None
    notebook: NotebookNode | None = None
    lecture: str = ""
    refused: str = ""
    detail: str = ""
    notes: list[str] = field(default_factory=list)

    def refuse(self, status: str, detail: str) -> None:
        """Keep it from being run."""
        self.refused, self.detail = status, detail


def find_submissions(folder: Path) -> list[Submission]:
    """Read every submission in a folder: a file or a subfolder each, as a learning platform exports them."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
    if not entries:
        raise K2CError(
            f"There is nothing to grade in {folder}: put one notebook or one subfolder a student there."
        )
    return [_read(path) for path in entries]


def _read(path: Path) -> Submission:
    if path.is_symlink() or not path.is_dir():
        return _open(Submission(path.stem, path))
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in file.relative_to(path).parts)
    ]
    notebooks = [file for file in found if file.suffix == ".ipynb"]
    submission = Submission(path.name, next(iter(notebooks or found), None))
    if not found:
        submission.refuse("empty", "The folder is empty.")
    elif len(notebooks) > 1:
        names = ", ".join(file.relative_to(path).as_posix() for file in notebooks)
        submission.refuse("several notebooks", f"There are {len(notebooks)} notebooks: {names}. Keep one.")
    return submission if submission.refused else _open(submission)


def _open(submission: Submission) -> Submission:
    file = submission.file
    assert file is not None
    try:
        content = read_regular_file(file)
        if content.strip():
            submission.notebook = _notebook(content)
        else:
            submission.refuse("empty", "The file has no content.")
    except Exception as error:  # whatever a damaged or hostile file makes the readers raise
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        submission.refuse("not a notebook", f"{file.name} cannot be read as a notebook: {reason}.")
    if submission.notebook is not None:
        _look_inside(submission)
    return submission


def read_regular_file(file: Path) -> bytes:
    """Return the content of a stranger's file: no link is followed, no pipe waited for, and no more read than allowed.

    Raises
    ------
    ValueError
        When it is anything but a file, or too large.
    """
    if file.is_symlink():
        raise ValueError("it is a link")
    careful = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
    descriptor = os.open(file, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in careful))
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no file")
        content = opened.read(MAXIMUM_BYTES + 1)
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(f"it has more than the {MAXIMUM_BYTES / 1e6:.0f} MB that are allowed")
    return content


def _notebook(content: bytes) -> NotebookNode:
    """Return a notebook without its outputs, which are never used: each submission is run again."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    cells = [cell for sheet in (found, *found.get("worksheets", ())) for cell in sheet.get("cells", ())]
    if len(cells) > MAXIMUM_CELLS:
        raise ValueError(f"it has {len(cells)} cells, and {MAXIMUM_CELLS} are the limit")
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = []
    _, notebook = nbformat.validator.normalize(nbformat.reads(json.dumps(found), as_version=4))
    nbformat.validate(notebook)
    return notebook


def _look_inside(submission: Submission) -> None:
    code = code_sources(submission.notebook)
    if not any(source.strip() for source in code):
        submission.refuse("empty", "The notebook has no code.")
    opened = [match.group(1) for source in code for match in _OPENS.finditer(source)]
    submission.lecture = opened[0] if opened else ""


def common_lecture(submissions: list[Submission]) -> str:
    """Return the lecture that most submissions open.

    Raises
    ------
    K2CError
        When none does, or two lectures are equally frequent.
    """
    known = Counter(s.lecture for s in submissions if s.lecture in load_solutions()).most_common(2)
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
            submission.notes.append(f"The check cell of {check.exercise} was {word}.")
        places.setdefault(place, []).append(check)
    return places


def code_sources(notebook: NotebookNode | None) -> list[str]:
    """Return the sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"] if notebook else []


def _plain(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())

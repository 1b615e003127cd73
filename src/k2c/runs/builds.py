"""The course as a student gets it, a kit with holes and no solutions, and as an instructor has it, with them filled."""

import json
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c._system.paths import project_root
from k2c.course.cases import public_cases
from k2c.course.exercises import load_solutions
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.source import notebook_path

EXERCISE = "exercise"
# What a student's kit has beside its notebooks: no solutions, no tests, no rules of grading.
KIT = (
    "course/syllabus.yml", "course/results", "data", "src", "pyproject.toml", "requirements.lock", "environment.yml",
    "Makefile", "README.md", "LICENSE", "CITATION.cff",
)  # fmt: skip


def build_student_kit(folder: Path, replace: bool = False) -> list[Path]:
    """Write what a student installs: the lectures with holes, the package, and checks that hold no solution.

    Expectations are computed here, so that no formula of a solution is in the kit; hidden checks are not in it at all.

    Parameters
    ----------
    folder
        Where to; made when it is missing.
    replace
        Whether what is there already may be written over.

    Returns
    -------
    list of pathlib.Path
        The notebooks, in the order of the course.

    Raises
    ------
    K2CError
        When notebooks are there already and may not be replaced: they may hold somebody's work.
    """
    paths = _write_notebooks(folder / "notebooks", replace, solved=False)
    for lecture in load_syllabus().lectures:
        with atomic_path(folder / "course/checks" / f"{lecture}.json") as part:
            part.write_text(json.dumps(public_cases(lecture), indent=1) + "\n", encoding="utf-8")
    for name in KIT:
        source, target = project_root() / name, folder / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=unwanted)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return paths


def build_solved_notebooks(folder: Path, replace: bool = False) -> list[Path]:
    """Write every lecture's notebook with `course/solutions` in its exercises, without outputs.

    Parameters, returned paths and errors are as of `build_student_kit`.
    """
    return _write_notebooks(folder, replace, solved=True)


def _write_notebooks(folder: Path, replace: bool, solved: bool) -> list[Path]:
    paths = [folder / notebook_path(lecture).name for lecture in load_syllabus().lectures]
    present = [path.name for path in paths if path.exists()]
    if present and not replace:
        raise K2CError(
            f"{folder} already has {', '.join(present)}, perhaps with somebody's work. Name another folder, or "
            "write over them with --replace."
        )
    for path in paths:
        notebook = nbformat.read(notebook_path(path.stem), as_version=4)
        if solved:
            fill_exercises(notebook, path.stem)
        clear_outputs(notebook)
        with atomic_path(path) as part:
            nbformat.write(notebook, part)
    return paths


def fill_exercises(notebook: NotebookNode, lecture: str) -> None:
    """Put the solutions of a lecture into the cells that are tagged as its exercises, in order."""
    stubs = [cell for cell in notebook.cells if EXERCISE in cell.metadata.get("tags", [])]
    for stub, entry in zip(stubs, load_solutions()[lecture].values(), strict=True):
        stub.source = entry["solution"].strip()


def clear_outputs(notebook: NotebookNode) -> None:
    """Remove what the code cells printed and drew."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None

"""The course as a student gets it, with holes, and as an instructor has it, with the holes filled."""

from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c.course.exercises import load_solutions
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.source import notebook_path

Kind = Literal["student", "solutions"]
EXERCISE = "exercise"


def build_notebooks(kind: Kind, folder: Path, replace: bool = False) -> list[Path]:
    """Write every lecture's notebook into a folder, without outputs.

    Parameters
    ----------
    kind
        `student`: with the holes of the exercises; `solutions`: with `course/solutions` in them.
    folder
        Where to; made when it is missing.
    replace
        Whether notebooks that are there already may be written over.

    Returns
    -------
    list of pathlib.Path
        The notebooks, in the order of the course.

    Raises
    ------
    K2CError
        When notebooks are there already and may not be replaced: they may hold somebody's work.
    """
    paths = [folder / notebook_path(lecture).name for lecture in load_syllabus().lectures]
    present = [path.name for path in paths if path.exists()]
    if present and not replace:
        raise K2CError(
            f"{folder} already has {', '.join(present)}, perhaps with somebody's work. Name another folder, or "
            "write over them with --replace."
        )
    for path in paths:
        notebook = nbformat.read(notebook_path(path.stem), as_version=4)
        if kind == "solutions":
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

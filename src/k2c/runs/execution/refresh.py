"""Committed notebooks: executed again, and saved in place when everything that they claim holds."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c._system.printable import printable
from k2c._system.terminal import Terminal
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.console import execute_all
from k2c.runs.execution.execute import Run
from k2c.runs.execution.live import KEEP, take_live, write_live
from k2c.runs.execution.source import notebook_path

MAXIMUM_BYTES = 2_000_000


def refresh_notebook(lecture: str, console: Terminal) -> None:
    """Execute a lecture at its defaults and replace `notebooks/<lecture>.ipynb` by the result.

    What keeps its widgets alive on the site goes into `course/site/widgets/<lecture>`.

    Raises
    ------
    K2CError
        When the lecture failed, or when the result is too large or holds a path of this machine; the committed
        notebook then stays as it was.
    """
    entry = load_syllabus().lectures[lecture]
    with tempfile.TemporaryDirectory() as folder:
        run = Run(lecture, entry.title, "lecture", entry.settings())
        completed = execute_all([run], Path(folder), console, os.environ | KEEP)
        if not completed:
            raise KeyboardInterrupt
        if run.status != "ok" or run.folder is None:
            raise K2CError(f"{lecture} was not saved: {run.error.rstrip('.')}.")
        executed = nbformat.read(run.folder / "notebook.ipynb", as_version=4)
    widgets = take_live(executed)
    for said in _drop_errors(executed):
        console.say(f"Not saved in {lecture}, since it is of this machine: {said}")
    notebook = clean_notebook(executed)
    content = nbformat.writes(notebook) + "\n"
    _refuse_unfit(lecture, content)
    with atomic_path(notebook_path(lecture)) as part:
        part.write_text(content, encoding="utf-8")
    write_live(lecture, widgets)


def clean_notebook(notebook: NotebookNode) -> NotebookNode:
    """Drop what an execution leaves behind and what differs from machine to machine; keep the outputs."""
    notebook = NotebookNode(notebook)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in _tags(cell)]
    for cell in notebook.cells:
        cell.metadata = NotebookNode(
            {key: cell.metadata[key] for key in ("tags", "slideshow") if key in cell.metadata}
        )
        if cell.metadata.get("tags") == []:
            del cell.metadata["tags"]
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    return notebook


def _drop_errors(notebook: NotebookNode) -> list[str]:
    """Drop what was printed on the error stream, and return its lines."""
    lines: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            said = [output for output in cell.outputs if output.get("name") == "stderr"]
            lines += [line for output in said for line in printable(output.text, lines=True).splitlines()]
            cell.outputs = [output for output in cell.outputs if output not in said]
    return lines


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _refuse_unfit(lecture: str, content: str) -> None:
    if len(content.encode()) > MAXIMUM_BYTES:
        raise K2CError(
            f"{lecture} was not saved: it would weigh {len(content.encode()) / 1e6:.1f} MB, and "
            f"{MAXIMUM_BYTES / 1e6:.0f} MB is the limit. Draw fewer or smaller images."
        )
    for trace in (os.path.expanduser("~"), sys.prefix, str(Path.cwd())):  # noqa: PTH111 - there may be no home
        if len(trace) > len("/root") and trace in content:
            raise K2CError(f"{lecture} was not saved: an output shows the path {trace} of this machine.")

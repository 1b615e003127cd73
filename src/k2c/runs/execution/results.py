"""The results of one run, read from its executed notebook."""

from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from k2c._system.outputs import RESULT_MIME, WIDGET_VIEW


def collect_results(notebook: NotebookNode) -> dict[str, Any]:
    """Return what a notebook recorded.

    Returns
    -------
    dict
        `guards` (a list of name, value, low, high, status), `recorded` (name to value), `exercises` (name to
        status) and `loads` (what was read and left out, as of `LoadReport.as_json`; the same one once). A name that
        occurs twice keeps its last value.
    """
    guards, recorded, exercises = {}, {}, {}
    loads: list[dict[str, Any]] = []
    for output in _outputs(notebook):
        result = output.get("metadata", {}).get(RESULT_MIME, {})
        if "guard" in result:
            guards[result["guard"]["name"]] = dict(result["guard"])
        if "exercise" in result:
            exercises[result["exercise"]["name"]] = result["exercise"]["status"]
        recorded.update(result.get("record", {}))
        if "load" in result and result["load"] not in loads:
            loads.append(result["load"])
    return {"guards": list(guards.values()), "recorded": recorded, "exercises": exercises, "loads": loads}


def first_image(notebook: NotebookNode) -> str | None:
    """Return the first PNG that the notebook shows, base64-encoded, or None."""
    for output in _outputs(notebook):
        image = output.get("data", {}).get("image/png")
        if image:
            return "".join(image.split())
    return None


def drop_bare_widgets(notebook: NotebookNode) -> None:
    """Keep of each widget what stands for it where none can be shown, and nothing of one that has no such thing.

    A widget is alive as long as its kernel. Opened later, a page would say that it cannot be found.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_bare_widget(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET_VIEW, None)


def _is_bare_widget(output: NotebookNode) -> bool:
    kinds = set(output.get("data", {}))
    return WIDGET_VIEW in kinds and kinds <= {WIDGET_VIEW, "text/plain"}


def failing_cell(notebook: NotebookNode) -> int | None:
    """Return the number of the first code cell (from 1) that ended in an error, or None.

    The cell with a run's own parameters does not count, so that a cell has the same number in every run.
    """
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not _is_injected(cell)]
    for number, cell in enumerate(code_cells, start=1):
        if any(output.output_type == "error" for output in cell.outputs):
            return number
    return None


def _is_injected(cell: NotebookNode) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])

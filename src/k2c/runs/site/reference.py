"""The API reference: a page per room and per public name, with links to the lectures that use it, and back."""

import ast
import importlib
import inspect
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

# The rooms with public names, in the order of the house.
ROOMS = {
    "k2c": "What every lecture calls",
    "k2c.course": "What a lecture is",
    "k2c.datasets": "Where examples come from",
    "k2c.synthetic": "Images drawn with known truth",
    "k2c.models": "Models",
    "k2c.training": "The training loop",
    "k2c.metrics": "What is measured of predictions",
    "k2c.own": "Your own images: train, measure, hand on",
    "k2c.kernels": "Kernels on several devices",
    "k2c.parallel": "Training by several workers",
    "k2c.display": "Plots and widgets",
    "k2c.runs": "Runs, batches and reports",
    "k2c.bench": "Measuring against references",
}


def write_reference(folder: Path, notebooks: dict[str, NotebookNode]) -> None:
    """Write the pages of the reference, and append to each notebook links to what it uses.

    Parameters
    ----------
    folder
        Where Sphinx reads; the pages go into `reference/` there.
    notebooks
        The notebooks by the name of their lecture; each gets one more cell.
    """
    names = {room: public_names(room) for room in ROOMS}
    known = {name for room in names.values() for name in room}
    lectures: dict[str, list[str]] = defaultdict(list)
    for lecture, notebook in notebooks.items():
        used = used_names(notebook) & known
        for name in used:
            lectures[name].append(lecture)
        if used:
            links = ", ".join(
                f"[`{name.removeprefix('k2c.')}`](reference/{name}.rst)" for name in sorted(used)
            )
            notebook.cells.append(new_markdown_cell(f"## The package's functions in this lecture\n\n{links}"))
    pages = folder / "reference"
    pages.mkdir()
    (pages / "index.md").write_text(_contents(), encoding="utf-8")
    for room, members in names.items():
        (pages / f"{room}.rst").write_text(_room_page(room, members), encoding="utf-8")
        for name, value in members.items():
            (pages / f"{name}.rst").write_text(_page(name, value, lectures[name]), encoding="utf-8")


def public_names(room: str) -> dict[str, object]:
    """Return what the front door of a room lists: each object by its full name."""
    door = importlib.import_module(room)
    found = {f"{room}.{name}": getattr(door, name) for name in getattr(door, "__all__", ())}
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, ModuleType) and not name.rpartition(".")[2].startswith("__")
    }


def used_names(notebook: NotebookNode) -> set[str]:
    """Return the full names of the package that the code of a notebook mentions."""
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    tree = ast.parse("\n".join(lines))
    full = {"k2c": "k2c"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "k2c":
            full |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {_dotted(node, full) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}


def _dotted(node: ast.AST, full: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, full)}.{node.attr}"
    return full.get(node.id, "") if isinstance(node, ast.Name) else ""


def _contents() -> str:
    """Return the page that links the rooms."""
    start = "What the lectures import, room by room. A name's page says which lectures use it.\n"
    return "\n".join(["# API reference", "", start, "```{toctree}", ":maxdepth: 1", "", *ROOMS, "```", ""])


def _room_page(room: str, members: dict[str, object]) -> str:
    title = f"{ROOMS[room]}: ``{room}``"
    table = [".. list-table::", "   :widths: 35 65", ""] if members else []
    for name, value in members.items():
        table += [f"   * - :doc:`{name.removeprefix(room + '.')} <{name}>`", f"     - {_summary(value)}"]
    contents = [
        ".. toctree::",
        "   :hidden:",
        "",
        *(f"   {name.rpartition('.')[2]} <{name}>" for name in members),
    ]
    module = inspect.getdoc(importlib.import_module(room)) or ""
    return "\n".join([title, "=" * len(title), "", module, "", *table, "", *contents, ""])


def _page(name: str, value: object, lectures: list[str]) -> str:
    if inspect.isclass(value):
        directive = [f".. autoclass:: {name}", "   :members:"]
    elif callable(value):
        directive = [f".. autofunction:: {name}"]
    else:
        directive = [f".. py:data:: {name}", f"   :type: {type(value).__name__}"]
    used = ", ".join(
        f":doc:`lecture {lecture.split('_')[0].lstrip('0')} </{lecture}>`" for lecture in lectures
    )
    title = name.removeprefix("k2c.")
    return "\n".join(
        [
            title,
            "=" * len(title),
            "",
            *directive,
            "",
            f"Used in {used}." if used else "No lecture uses it directly.",
            "",
        ]
    )


def _summary(value: object) -> str:
    """Return the first line of a docstring; a constant has none of its own."""
    documented = inspect.isclass(value) or inspect.isroutine(value)
    return (inspect.getdoc(value) or "").partition("\n")[0] if documented else "A constant."

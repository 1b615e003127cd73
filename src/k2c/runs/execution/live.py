"""What keeps a lecture's widgets alive on the site: the data and weights of each, beside the committed notebook."""

import json
from typing import Any

from nbformat import NotebookNode

from k2c._system.atomic import atomic_path
from k2c._system.outputs import LIVE_MIME
from k2c._system.paths import project_root

Live = dict[
    str, dict[str, Any]
]  # by the id of the cell that shows the widget: its front end, data and values
KEEP = {
    "K2C_WIDGETS": "keep"
}  # in a kernel's environment: widgets hand over what a page without a kernel needs


def take_live(notebook: NotebookNode) -> Live:
    """Take out of an executed notebook what its widgets handed over; it would weigh more than all else in it."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if live := output.get("data", {}).pop(LIVE_MIME, None):
                found[cell.id] = dict(live)
    return found


def write_live(lecture: str, widgets: Live) -> None:
    """Write a file for each widget of a lecture to `course/site/widgets`, in place of those that are there."""
    folder = project_root() / "course/site/widgets" / lecture
    for old in folder.glob("*.json"):
        if old.stem not in widgets:
            old.unlink()
    for cell, live in widgets.items():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / f"{cell}.json") as part:
            part.write_text(
                json.dumps(live, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8"
            )


def read_live(lecture: str) -> Live:
    """Return what is kept of a lecture's widgets."""
    files = sorted((project_root() / "course/site/widgets" / lecture).glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

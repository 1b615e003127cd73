"""Widgets on the site's pages: alive without a kernel, a still image where no script runs."""

import html
import json
from pathlib import Path

from nbformat import NotebookNode

from k2c._system.outputs import shown_image
from k2c.display.widgets.base import FRONTS, SHARED, STYLE, front_end
from k2c.runs.execution.live import Live, read_live

FOLDER = "live"  # of the scripts, beside the pages
WIDGET = '<div class="k2c-live"'
_PLACE = WIDGET + ' data-widget="{name}"><div class="k2c-still">{still}</div></div>'


def place_widgets(notebook: NotebookNode, lecture: str) -> Live:
    """Mark in a notebook where its widgets go, around their still images; returns what they need, by name.

    Parameters
    ----------
    notebook
        As it is read, images with alternative text; changed in place.
    lecture
        Its name.
    """
    placed, known = {}, read_live(lecture)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if cell.id in known and (still := _still(output)):
                name = f"{lecture}.{cell.id}"
                placed[name] = known[cell.id]
                output.data = NotebookNode({"text/html": _PLACE.format(name=name, still=still)})
    return placed


def write_scripts(folder: Path, widgets: Live) -> None:
    """Write the scripts of widgets: one with all front ends, and one for each widget's data.

    They are scripts because a page that is opened from the file system may read no other files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in FRONTS.glob("*.js") if path != SHARED)
    fronts = json.dumps({name: front_end(name) for name in names})
    style = json.dumps(STYLE.read_text(encoding="utf-8"))
    (folder / "fronts.js").write_text(f"k2cLive.fronts({fronts}, {style});\n", encoding="utf-8")
    for name, live in widgets.items():
        content = json.dumps(live, separators=(",", ":"))
        (folder / f"{name}.js").write_text(
            f"k2cLive.show({json.dumps(name)}, {content});\n", encoding="utf-8"
        )


def _still(output: NotebookNode) -> str:
    """Return the still image of a widget's output as HTML, or nothing where it has none."""
    if image := shown_image(output):
        kind, content = image
        words = html.escape(output.metadata[kind]["alt"])
        return f'<img src="data:{kind};base64,{content}" alt="{words}"><p>{words}</p>'
    return str(output.get("data", {}).get("text/html", ""))

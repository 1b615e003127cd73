"""The sources of the site: the notebooks as they are read, and the pages of `course/site`."""

import base64
import hashlib
import html
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from k2c._system.outputs import shown_image
from k2c._system.paths import project_root
from k2c.course.syllabus import Lecture, load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.live import Live
from k2c.runs.execution.results import drop_bare_widgets, first_image
from k2c.runs.execution.source import notebook_path
from k2c.runs.reports.export import with_alternative_text
from k2c.runs.site.live import FOLDER, place_widgets, write_scripts
from k2c.runs.site.models import write_models
from k2c.runs.site.reference import write_reference

PATH_MARK = "<!-- lectures -->"  # stands in course/site/index.md, where the path through the lectures goes
EXTRA = "extra"  # the folder of files that go into the site as they are
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CARD = """\
<a class="lecture" href="{name}.html"><img src="images/{name}.png" alt="">
<span class="number">Lecture {number} · {minutes} minutes</span>
<strong>{title}</strong><span>{summary}</span></a>"""


def write_pages(folder: Path, models: bool = False) -> dict[str, str]:
    """Write everything that Sphinx reads into a folder; with `models`, also the lectures' models as pages.

    Returns
    -------
    dict of str to str
        The alternative text of each image in a notebook, by the SHA-256 of its bytes.
    """
    source = project_root() / "course/site"
    own = source / "images"
    if not (source / "index.md").is_file():
        raise K2CError(f"The site's start page is missing: {source / 'index.md'}.")
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("widgets"))
    lectures = load_syllabus().lectures
    told: dict[str, str] = {}
    widgets: Live = {}
    notebooks = {name: nbformat.read(notebook_path(name), as_version=4) for name in lectures}
    for name, notebook in notebooks.items():
        _write_image(notebook, own / f"{name}.png", folder / f"{EXTRA}/images/{name}.png")
        notebooks[name] = _as_read(notebook)
        widgets |= place_widgets(notebooks[name], name)
        told |= _alternative_text(notebooks[name])
    write_scripts(folder / EXTRA / FOLDER, widgets)
    if models:
        write_models(folder, folder / EXTRA)
    write_reference(folder, notebooks)
    for name, notebook in notebooks.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    start = (source / "index.md").read_text(encoding="utf-8")
    (folder / "index.md").write_text(start.replace(PATH_MARK, _path(lectures, models)), encoding="utf-8")
    return told


def _as_read(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook as it is read: plumbing folded away, no widgets that nothing would drive."""
    notebook = with_alternative_text(notebook)
    notebook.metadata.pop("widgets", None)
    drop_bare_widgets(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)
    plumbing = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    for cell, words in zip(plumbing, ("the parameters", "the imports"), strict=False):
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        cell.metadata["mystnb"] = {"code_prompt_show": f"Show {words}", "code_prompt_hide": f"Hide {words}"}
    return notebook


def _alternative_text(notebook: NotebookNode) -> dict[str, str]:
    told = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if image := shown_image(output):
                content = base64.b64decode(image[1])
                told[hashlib.sha256(content).hexdigest()] = output.metadata[image[0]]["alt"]
    return told


def _write_image(notebook: NotebookNode, chosen: Path, path: Path) -> None:
    """Write the image that was chosen for the lecture, else the first one that it draws."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if chosen.is_file():
        shutil.copy(chosen, path)
    elif image := first_image(notebook):
        path.write_bytes(base64.b64decode(image))


def _path(lectures: dict[str, Lecture], models: bool) -> str:
    """Return the path through the lectures, for people and for Sphinx's table of contents."""
    cards = [
        _CARD.format(
            name=name,
            number=name.split("_")[0].lstrip("0"),
            minutes=lecture.minutes,
            title=html.escape(lecture.title),
            summary=html.escape(lecture.summary),
        )
        for name, lecture in lectures.items()
    ]
    contents = ["```{toctree}", ":caption: Lectures", ":hidden:", "", *lectures, *["models"] * models, "```"]
    contents += ["", "```{toctree}", ":caption: Package", ":hidden:", "", "reference/index", "```"]
    return "\n".join(['<div class="lectures">', *cards, "</div>", "", *contents])

"""An executed notebook as one HTML file that needs no network: images inside, formulas as MathML."""

import copy
import html
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import latex2mathml.converter
from markupsafe import Markup
from nbconvert import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML, clean_html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from k2c._system.atomic import atomic_path
from k2c._system.outputs import shown_image
from k2c._system.printable import plain
from k2c.runs.reports.pages import TEMPLATES, render


def write_html(notebook: NotebookNode, path: Path, title: str) -> None:
    """Write the notebook as a page for the browser.

    Parameters
    ----------
    notebook
        An executed notebook.
    path
        The file to write.
    title
        The page's title.
    """
    cells = cells_to_html(with_alternative_text(notebook).cells)
    with atomic_path(path) as part:
        part.write_text(render("lecture.html.j2", title=title, cells=cells), encoding="utf-8")


def cells_to_html(cells: Sequence[NotebookNode]) -> Markup:
    """Return cells as HTML, without a page around them. Every image must have its alternative text."""
    with _lock:
        body, _ = _exporter().from_notebook_node(new_notebook(cells=list(cells)))
    return Markup(plain(body, lines=True))  # nbconvert has made colours of their escapes


_lock = threading.Lock()  # a batch writes pages from several threads


class _CellsExporter(HTMLExporter):
    """nbconvert's exporter without its second half: it reads all of the page again to add what our cells have."""

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """Fill the template."""
        return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **options)


@cache
def _exporter() -> HTMLExporter:
    """Return the one exporter of this process: compiling its templates takes longer than filling them."""
    return _CellsExporter(
        template_name="cells",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={
            "markdown2html": _markdown_to_html,
            "highlight_code": _code_to_html,
            "filter_data_type": WidgetsDataTypeFilter(notebook_metadata={}),
            "clean_html": lru_cache(maxsize=1000)(clean_html),
        },
        optimistic_validation=True,  # once, not after each of a dozen steps
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )


def with_alternative_text(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of the notebook in which every figure has alternative text.

    Figures drawn in the course's style bring theirs along; for others it is the heading that they stand under.
    """
    notebook = copy.deepcopy(notebook)
    heading = "the lecture"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+\s+(.+)$", cell.source, re.MULTILINE) or [heading])[-1]
        for output in cell.get("outputs", ()):
            if image := shown_image(output):
                about = output.metadata.setdefault(image[0], NotebookNode())
                about.setdefault("alt", f"Image under the heading: {heading}")
    return notebook


def formula_to_mathml(formula: str, display: str) -> str:
    """Return a formula as MathML, which browsers draw without MathJax.

    Parameters
    ----------
    formula
        LaTeX, without the dollar signs.
    display
        `inline` or `block`.
    """
    try:
        drawn = latex2mathml.converter.convert(formula.strip(), display=display)
    except Exception:  # an unknown command: the formula as it was written is better than none
        drawn = f"<code>{html.escape(formula)}</code>"
    return f'<div class="formula">{drawn}</div>' if display == "block" else drawn


class _Renderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML."""

    def inline_math(self, body: str) -> str:
        return formula_to_mathml(body, display="inline")

    def block_math(self, body: str) -> str:
        return formula_to_mathml(body, display="block")

    def latex_environment(self, name: str, body: str) -> str:
        return formula_to_mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")


@lru_cache(maxsize=1000)  # the runs of a batch share their text
def _markdown_to_html(source: str) -> str:
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)


def _code_to_html(source: str, metadata: Mapping[str, Any]) -> str:
    return _highlighted(source, metadata.get("magics_language"))


@lru_cache(maxsize=1000)  # and most of their code
def _highlighted(source: str, language: str | None) -> str:
    return str(Highlight2HTML()(source, metadata={"magics_language": language} if language else None))

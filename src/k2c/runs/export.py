"""An executed notebook as one HTML file that needs no network: pictures inside, formulas as MathML."""

import html
from pathlib import Path

import latex2mathml.converter
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from k2c.atomic import atomic_path

TEMPLATES = Path(__file__).parent / "templates"


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
    exporter = HTMLExporter(
        template_name="lecture",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={"markdown2html": _markdown_to_html},
    )
    titled = NotebookNode(notebook | {"metadata": notebook.metadata | {"title": title}})
    page, _ = exporter.from_notebook_node(titled)
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8")


class _Renderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML, which browsers draw without MathJax."""

    def inline_math(self, body: str) -> str:
        return _to_mathml(body, display="inline")

    def block_math(self, body: str) -> str:
        return _to_mathml(body, display="block")

    def latex_environment(self, name: str, body: str) -> str:
        return _to_mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")


def _markdown_to_html(source: str) -> str:
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)


def _to_mathml(formula: str, display: str) -> str:
    try:
        return latex2mathml.converter.convert(formula.strip(), display=display)
    except Exception:  # an unknown command: the formula as it was written is better than none
        return f"<code>{html.escape(formula)}</code>"

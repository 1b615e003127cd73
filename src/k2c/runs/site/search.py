"""The site's search: what each section says, in one script that a page from the file system may load."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

from k2c.course.syllabus import load_syllabus
from k2c.runs.reports.export import formula_to_mathml

INDEX = "searchindex.js"  # instead of Sphinx's own of this name, which knows words and no sentences
_NOT_READ = (nodes.raw, nodes.comment, nodes.image, nodes.math_block, nodes.literal_block)
Section = tuple[int, str, str, str, str, str]  # page, anchor, title, text, code, terms that it introduces


def write_search_index(app: Sphinx, error: Exception | None) -> None:
    """Write what the search reads, when Sphinx has built the pages."""
    if error:
        return
    lectures = load_syllabus().lectures
    pages: list[tuple[str, str, str]] = []
    sections: list[Section] = []
    for name in sorted(app.env.found_docs, key=lambda name: (name.startswith("reference/"), name)):
        kind = "reference" if name.startswith("reference/") else "lecture" if name in lectures else "page"
        title = app.env.titles[name].astext()
        number = f"Lecture {name.split('_')[0].lstrip('0') or 0}: " if kind == "lecture" else ""
        tree = app.env.get_doctree(name)
        sections += [(len(pages), *section) for section in _sections(tree, kind == "reference")]
        pages.append((f"{name}.html", number + title, kind))
    content = json.dumps({"pages": pages, "sections": sections}, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / INDEX).write_text(f"const k2cPages = {content};\n", encoding="utf-8")


def _sections(tree: nodes.document, whole: bool) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield anchor, title, text, code and introduced terms of each section; of a `whole` page, as one section."""
    for section in tree.findall(nodes.section):
        title = next(iter(section.findall(nodes.title))).astext()
        own = section.children if whole else [part for part in section if not isinstance(part, nodes.section)]
        own = [part for part in own if not isinstance(part, nodes.title)]
        text = " ".join(" ".join(_words(part) for part in own).split())
        code = "\n".join(block.astext() for part in own for block in part.findall(nodes.literal_block))
        terms = " ".join(
            word.astext()
            for part in own
            for word in part.findall(lambda n: type(n) in (nodes.emphasis, nodes.term))
        )
        yield "" if section.parent is tree else section["ids"][0], title, text, code, terms
        if whole:
            return


def _words(node: nodes.Node) -> str:
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, nodes.math):
        return html.unescape(re.sub(r"<[^>]+>", "", formula_to_mathml(node.astext(), display="inline")))
    if isinstance(node, _NOT_READ):
        return ""
    between = "" if isinstance(node, nodes.TextElement) else " "
    return between.join(_words(child) for child in node.children)

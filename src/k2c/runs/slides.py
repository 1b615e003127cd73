"""Slides from a lecture's notebook: one HTML file that needs no network, for the lecture hall and for a PDF."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from k2c.atomic import atomic_path
from k2c.results import RESULT_MIME
from k2c.runs.export import cells_to_html, with_alternative_text
from k2c.runs.pages import render
from k2c.runs.source import notebook_path
from k2c.syllabus import load_syllabus

LINES = 11  # of text that fit on a slide below its title
WIDE, NARROW = 76, 37  # characters in a line, alone and beside a picture
LONGEST_CODE = 14  # lines; longer code is read in the notebook
LEFT_OUT = ("skip", "notes")
STARTS = ("slide", "subslide")
_HEADING = re.compile(r"#+\s+(.+)")
_ITEM = re.compile(r"(?:[-*]|\d+\.)\s")


@dataclass
class Part:
    """A piece of a slide: a paragraph, a list's item, a formula, a table, code, a claim, a picture."""

    kind: Literal["words", "picture"]
    cell: NotebookNode
    text: str = ""  # as long as it looks, for fitting

    def lines(self, width: int) -> float:
        """Return about how many lines it takes."""
        return sum(max(1, -(-len(line) // width)) for line in self.text.split("\n")) + 0.4


@dataclass
class Slide:
    """A slide: a title, what is to be read, and at most one picture."""

    title: str
    words: list[Part] = field(default_factory=list)
    picture: Part | None = None

    def has_room_for(self, part: Part) -> bool:
        """Tell whether a part fits beside what is there; on an empty slide everything does."""
        if part.kind == "picture":
            return self.picture is None and self._lines(NARROW) <= LINES
        width = NARROW if self.picture else WIDE
        return self._lines(width) + part.lines(width) <= LINES or not (self.words or self.picture)

    def add(self, part: Part) -> None:
        """Put a part on the slide."""
        if part.kind == "picture":
            self.picture = part
        else:
            self.words.append(part)

    def _lines(self, width: int) -> float:
        return sum(part.lines(width) for part in self.words)


def write_slides(lecture: str, path: Path, *, all_code: bool = False) -> int:
    """Write the slides of a lecture.

    Parameters
    ----------
    lecture
        The lecture's name.
    path
        The HTML file.
    all_code
        Show the code of every cell, not only of those that define something.

    Returns
    -------
    int
        The number of slides.
    """
    notebook = with_alternative_text(nbformat.read(notebook_path(lecture), as_version=4))
    slides = [
        {
            "title": slide.title,
            "words": cells_to_html([part.cell for part in slide.words]),
            "picture": cells_to_html([slide.picture.cell]) if slide.picture else "",
        }
        for slide in slides_of(notebook, all_code=all_code)
    ]
    page = render("slides.html.j2", title=load_syllabus().lectures[lecture].title, slides=slides)
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8")
    return len(slides)


def slides_of(notebook: NotebookNode, *, all_code: bool = False) -> list[Slide]:
    """Return the slides of a notebook.

    A heading starts a slide, and so does a cell whose slide type says so; a picture that finds one on the slide
    already and text that finds no room go to a new one with the same title. Cells of the slide types `skip` and
    `notes` stay out, as do long code, the parameters and the imports.
    """
    slides: list[Slide] = []
    for starts, title, part in _parts(notebook, all_code):
        if title or not slides:
            slides.append(Slide(title or "Introduction"))
        elif starts or (part and not slides[-1].has_room_for(part)):
            slides.append(Slide(slides[-1].title))
        if part:
            slides[-1].add(part)
    return [slide for slide in slides if slide.words or slide.picture]


def _parts(notebook: NotebookNode, all_code: bool) -> Iterator[tuple[bool, str, Part | None]]:
    """Yield whether a slide starts here, the title if it is a new one, and what goes there."""
    plumbing = [id(cell) for cell in notebook.cells if cell.cell_type == "code"][:2]
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "")
        if kind in LEFT_OUT or id(cell) in plumbing:
            continue
        starts = kind in STARTS
        if cell.cell_type == "markdown":
            for block in _blocks(cell.source):
                heading = _HEADING.match(block)
                yield starts, heading[1] if heading else "", None if heading else _words(block)
                starts = False
        elif cell.cell_type == "code":
            for part in _code_parts(cell, all_code or bool(kind)):
                yield starts, "", part
                starts = False


def _blocks(source: str) -> Iterator[str]:
    """Yield the blocks of a Markdown text: headings, paragraphs, formulas, tables, and each item of a list."""
    for block in re.split(r"\n\s*\n(?=[^ ])", source.strip()):
        lines = block.split("\n")
        if not any(_ITEM.match(line) for line in lines):
            yield block
            continue
        item: list[str] = []
        for line in lines:
            if _ITEM.match(line) and item:
                yield "\n".join(item)
                item = []
            item.append(line)
        yield "\n".join(item)


def _words(markdown: str) -> Part:
    looks = re.sub(r"\$\$.+?\$\$", "formula\n\n", markdown, flags=re.DOTALL)
    looks = re.sub(r"\\[a-z]+|[${}\\_^*`]|\]\([^)]*\)", "", looks)
    table = markdown.lstrip().startswith("|")
    return Part("words", new_markdown_cell(markdown), looks if table else looks.replace("\n", " "))


def _code_parts(cell: NotebookNode, show_code: bool) -> Iterator[Part]:
    pictured = any("image/png" in output.get("data", {}) for output in cell.outputs)
    defines = re.search(r"^(def|class) ", cell.source, re.MULTILINE) and not pictured
    if (defines or show_code) and len(cell.source.splitlines()) <= LONGEST_CODE:
        yield Part("words", new_code_cell(cell.source), cell.source)
    claims: list[str] = []
    for output in cell.outputs:
        data, result = output.get("data", {}), output.get("metadata", {}).get(RESULT_MIME, {})
        if "guard" in result:
            claims.append("".join(data.get("text/plain", "")).removesuffix(": ok"))
        elif "image/png" in data:
            yield Part("picture", new_code_cell("", outputs=[output]))
        elif "text/html" in data:
            yield Part("words", new_code_cell("", outputs=[output]), "".join(data.get("text/plain", "")))
    if claims:
        items = "".join(f"<li>{html.escape(claim)}</li>" for claim in claims)
        yield Part("words", new_markdown_cell(f'<ul class="claims">{items}</ul>'), "\n".join(claims))

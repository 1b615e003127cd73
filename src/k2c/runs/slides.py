"""Slides from a lecture's notebook: one HTML file that needs no network, for the lecture hall and for a PDF."""

import base64
import html
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from PIL import Image

from k2c._system.atomic import atomic_path
from k2c._system.outputs import RESULT_MIME, shown_image
from k2c.course.syllabus import load_syllabus
from k2c.runs.execution.source import notebook_path
from k2c.runs.reports.export import cells_to_html, with_alternative_text
from k2c.runs.reports.pages import render

WIDE, LINES = 80, 13.5  # characters in a line and lines on a slide, below its title
NARROW, LINES_BESIDE = 42, 15  # the same beside a picture, where the letters are smaller
LINES_ABOVE = 6.5  # wide lines above a picture that is itself wide
LONGEST_CODE, LONGEST_OUTPUT = 14, 22  # lines; what is longer is read in the notebook
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

    def is_wide(self) -> bool:
        """Tell whether it is a picture that is more than twice as wide as high."""
        if self.kind != "picture":
            return False
        kind, text = shown_image(self.cell.outputs[0]) or ("", "")
        if kind == "image/png":
            header = base64.b64decode(text[:32])
            width, height = struct.unpack(">II", header[16:24])  # where every PNG has them
        else:
            with Image.open(io.BytesIO(base64.b64decode(text))) as image:
                width, height = image.size
        return width > 2 * height


@dataclass
class Slide:
    """A slide: a title, what is to be read, and at most one picture."""

    title: str
    words: list[Part] = field(default_factory=list)
    picture: Part | None = None

    @property
    def layout(self) -> str:
        """How words and picture share the slide: `alone`, `beside` or, with a wide picture, `above`."""
        if not (self.words and self.picture):
            return "alone"
        return "above" if self.picture.is_wide() else "beside"

    def has_room_for(self, part: Part) -> bool:
        """Tell whether a part fits beside what is there; on an empty slide everything does."""
        if not (self.words or self.picture):
            return True
        if part.kind == "picture" and self.picture:
            return False
        picture = part if part.kind == "picture" else self.picture
        width, room = (WIDE, LINES) if picture is None else (NARROW, LINES_BESIDE)
        if picture and picture.is_wide():
            width, room = WIDE, LINES_ABOVE
        words = [*self.words, part] if part.kind == "words" else self.words
        return sum(word.lines(width) for word in words) <= room

    def add(self, part: Part) -> None:
        """Put a part on the slide."""
        if part.kind == "picture":
            self.picture = part
        else:
            self.words.append(part)


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
            "layout": slide.layout,
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
    section = back = ""  # an exercise has a heading of its own; after its check the section goes on
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "")
        starts = kind in STARTS
        if kind in LEFT_OUT or id(cell) in plumbing:
            continue
        if _is_check(cell):
            back = section
            continue
        for title, part in _cell_parts(cell, all_code or bool(kind)):
            if title:
                section = section if title.startswith("Exercise") else title
            yield starts, title or back, part
            starts, back = False, ""


def _is_check(cell: NotebookNode) -> bool:
    return any(
        "exercise" in output.get("metadata", {}).get(RESULT_MIME, {}) for output in cell.get("outputs", ())
    )


def _cell_parts(cell: NotebookNode, show_code: bool) -> Iterator[tuple[str, Part | None]]:
    """Yield titles and parts; a heading is a title without a part."""
    if cell.cell_type == "code":
        for part in _code_parts(cell, show_code):
            yield "", part
    elif cell.cell_type == "markdown":
        for block in _blocks(cell.source):
            heading = _HEADING.match(block)
            yield (heading[1], None) if heading else ("", _words(block))


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
    pictured = any(shown_image(output) for output in cell.outputs)
    defines = re.search(r"^(def|class) ", cell.source, re.MULTILINE) and not pictured
    if (defines or show_code) and len(cell.source.splitlines()) <= LONGEST_CODE:
        yield Part("words", new_code_cell(cell.source), cell.source)
    claims: list[str] = []
    for output in cell.outputs:
        data, result = output.get("data", {}), output.get("metadata", {}).get(RESULT_MIME, {})
        if "guard" in result:
            claims.append("".join(data.get("text/plain", "")))
        elif shown_image(output):
            yield Part("picture", new_code_cell("", outputs=[output]))
        elif "text/html" in data:
            looks = "".join(data.get("text/plain", "")) + "\n" * "".join(data["text/html"]).count("<br")
            part = Part("words", new_code_cell("", outputs=[output]), looks)
            if part.lines(WIDE) <= LONGEST_OUTPUT:
                yield part
    if claims:
        items = "".join(f"<li>{html.escape(claim)}</li>" for claim in claims)
        yield Part("words", new_markdown_cell(f'<ul class="claims">{items}</ul>'), "\n".join(claims))

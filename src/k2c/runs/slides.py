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
LONGEST_CODE, LONGEST_OUTPUT = 14, 16  # lines; what is longer is read in the notebook
MOST_SENTENCES = 4  # on a slide that shows nothing else
SHORTEST = 5  # words of a sentence that says something alone
LEFT_OUT = ("skip", "notes")
NOT_SHOWN = "Sources"
STARTS = ("slide", "subslide")
_HEADING = re.compile(r"#+\s+(.+)")
_ITEM = re.compile(r"(?:[-*]|\d+\.)\s")
_EXERCISE = re.compile(r"(Exercise|Check|Problem)\b")
_CLAIM = re.compile(r"(.*): (\S.*?) \((.*)\)")
_MASKED = re.compile(
    r"`[^`]*`|\$[^$]*\$|\([^()]*\)|\b(?:e\.g|i\.e|vs|al|Fig|[A-Z])\."
)  # no sentence ends in there


@dataclass
class Part:
    """A piece of a slide: a sentence, or what is shown: a list's item, a formula, a table, code, claims, a picture."""

    kind: Literal["sentence", "words", "picture"]
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
    unsaid: list[Part] = field(default_factory=list)

    @property
    def shows(self) -> bool:
        """Tell whether there is more on it than sentences."""
        return self.picture is not None or any(part.kind == "words" for part in self.words)

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
        words = self.words if part.kind == "picture" else [*self.words, part]
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
    """Return the slides of a notebook: what it shows, each time with the sentence that leads there.

    A heading starts a slide, and so does a cell whose slide type says so. Of a paragraph one sentence is taken, of an
    exercise also those that ask or have a formula; a section that shows nothing has a few. What finds no room goes to
    a new slide with the same title. Cells of the slide types `skip` and `notes` stay out, as do long code and long
    tables, the parameters, the imports and the sources.
    """
    slides: list[Slide] = []
    for starts, title, part in _parts(notebook, all_code):
        if title or starts or not slides:
            slides.append(Slide(title or (slides[-1].title if slides else "Introduction")))
        if part:
            _put(slides, part)
    for slide in slides:
        if not slide.shows:
            slide.words = [*slide.words, *slide.unsaid][:MOST_SENTENCES]
    return [slide for slide in slides if (slide.words or slide.picture) and slide.title != NOT_SHOWN]


def _put(slides: list[Slide], part: Part) -> None:
    """Put a part on the last slide, or on a new one after it."""
    slide = slides[-1]
    if part.kind == "sentence":
        if slide.words or slide.picture:
            slide.unsaid.append(part)
        else:
            slide.add(part)
        return
    if slide.shows and (slide.unsaid or not slide.has_room_for(part)):
        slides.append(Slide(slide.title, slide.unsaid[-1:]))
    slides[-1].unsaid.clear()
    slides[-1].add(part)


def _parts(notebook: NotebookNode, all_code: bool) -> Iterator[tuple[bool, str, Part | None]]:
    """Yield whether a slide starts here, the title if it is a new one, and what goes there."""
    plumbing = [id(cell) for cell in notebook.cells if cell.cell_type == "code"][:2]
    section = back = here = ""  # an exercise has a heading of its own; after its check the section goes on
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "")
        starts = kind in STARTS
        if kind in LEFT_OUT or id(cell) in plumbing:
            continue
        if _is_check(cell):
            back = section
            continue
        for title, part in _cell_parts(cell, here, all_code, chosen=bool(kind)):
            if title := title or back:
                here = title
                section = section if _EXERCISE.match(title) else title
            yield starts, title, part
            starts, back = False, ""


def _is_check(cell: NotebookNode) -> bool:
    return any(
        "exercise" in output.get("metadata", {}).get(RESULT_MIME, {}) for output in cell.get("outputs", ())
    )


def _cell_parts(
    cell: NotebookNode, title: str, all_code: bool, chosen: bool
) -> Iterator[tuple[str, Part | None]]:
    """Yield titles and parts, of a cell that somebody has chosen all; a heading is a title without a part."""
    if cell.cell_type == "code":
        for part in _code_parts(cell, all_code or chosen):
            yield "", part
    elif cell.cell_type == "markdown":
        for block in _blocks(cell.source):
            if heading := _HEADING.match(block):
                title = heading[1]
                yield title, None
            elif chosen:
                yield "", _words(block)
            else:
                yield from (("", part) for part in _shortened(block, title))


def _shortened(block: str, title: str) -> Iterator[Part]:
    """Yield what a slide needs of a block: its formulas, its table, a sentence of its text."""
    if block.lstrip().startswith("|") or "```" in block:
        if (table := _words(block)).lines(WIDE) <= LONGEST_OUTPUT:
            yield table
        return
    for piece in re.split(r"(\$\$.+?\$\$)", block, flags=re.DOTALL):
        if piece.startswith("$$"):
            yield _words(piece)
        elif sentences := _sentences(piece):
            if item := _ITEM.match(block):
                told = piece[item.end() :]
                yield _words(item[0] + (_sentences(told) or [told])[0])
            elif _EXERCISE.match(title):
                asked = [s for n, s in enumerate(sentences) if n == 0 or "$" in s or s.endswith("?")]
                yield _words(" ".join(asked), "sentence")
            else:  # the one that leads to what comes, or what the paragraph is about
                leads = sentences[-1] if sentences[-1].endswith(":") else sentences[0]
                short = len(leads.split()) < SHORTEST and leads is sentences[0]
                yield _words(" ".join(sentences[:2]) if short else leads, "sentence")


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text, without remarks in brackets around whole ones."""
    masked = _MASKED.sub(lambda found: "x" * len(found[0]), text)
    ends = [found.end() for found in re.finditer(r"[.?!][*_”\"]*(?=\s+[^\sa-z])", masked)]
    starts = [0, *ends]
    parts = (text[start:end].strip() for start, end in zip(starts, [*ends, len(text)], strict=True))
    return [said for part in parts if (said := re.sub(r"^\([^()]*\)\s*", "", part))]


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


def _words(markdown: str, kind: Literal["sentence", "words"] = "words") -> Part:
    looks = re.sub(r"\$\$.+?\$\$", "formula\n\n", markdown, flags=re.DOTALL)
    looks = re.sub(r"\\[a-z]+|[${}\\_^*`]|\]\([^)]*\)", "", looks)
    table = markdown.lstrip().startswith("|")
    return Part(kind, new_markdown_cell(markdown), looks if table else looks.replace("\n", " "))


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
        rows = "".join(
            f"<tr><td>{'</td><td>'.join(map(html.escape, found.groups() if found else (claim, '', '')))}</td></tr>"
            for claim, found in ((claim, _CLAIM.fullmatch(claim)) for claim in claims)
        )
        yield Part("words", new_markdown_cell(f'<table class="claims">{rows}</table>'), "\n".join(claims))

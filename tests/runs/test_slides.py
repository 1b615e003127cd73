"""Slides of a notebook: what starts one, what goes on it, what stays out."""

import base64
import io
import struct

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from k2c._system.outputs import RESULT_MIME
from k2c.runs.slides import slides_of


def picture(width=800, height=450):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(40)
    data = {"image/png": base64.b64encode(header).decode(), "text/plain": "figure"}
    return new_output("display_data", data, metadata={"image/png": {"alt": "a line"}})


def photograph(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "JPEG")
    data = {"image/jpeg": base64.b64encode(file.getvalue()).decode(), "text/plain": "photograph"}
    return new_output("display_data", data, metadata={"image/jpeg": {"alt": "a cat"}})


def claim(text):
    return new_output("display_data", {"text/plain": text}, metadata={RESULT_MIME: {"guard": {}}})


def notebook(*cells):
    plumbing = [new_code_cell("steps: int = 3"), new_code_cell("import k2c")]
    return new_notebook(cells=[*plumbing, *cells])


def typed(cell, kind):
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def told(slide):
    return [part.text for part in slide.words]


def test_a_heading_starts_a_slide_with_its_words_its_picture_and_its_claims():
    made = slides_of(
        notebook(
            new_markdown_cell("# A lecture\n\nIt begins."),
            new_markdown_cell("## One\n\nWords."),
            new_code_cell("show()", outputs=[picture(), claim("the line rises")]),
            new_markdown_cell("It did."),
        )
    )
    assert [slide.title for slide in made] == ["A lecture", "One"]
    assert told(made[1]) == ["Words.", "the line rises"]
    assert made[1].picture is not None
    assert made[1].layout == "beside"


@pytest.mark.parametrize(("width", "layout"), [(400, "beside"), (900, "above")])
def test_a_photograph_is_a_picture_as_well(width, layout):
    shown = new_code_cell("show()", outputs=[photograph(width, 300)])
    made = slides_of(notebook(new_markdown_cell("## One\n\nWords."), shown))
    assert (made[0].layout, made[0].picture.kind) == (layout, "picture")


def test_a_second_picture_goes_to_a_slide_with_the_same_title_and_the_sentence_that_leads_there():
    made = slides_of(
        notebook(
            new_markdown_cell("## One"),
            new_code_cell("show()", outputs=[picture(), picture(1600, 400)]),
            new_markdown_cell("A remark.\n\nThe next one is wide. Look at its left side first."),
            new_code_cell("show()", outputs=[picture(1600, 400)]),
        )
    )
    assert {slide.title for slide in made} == {"One"}
    assert [slide.layout for slide in made] == ["alone", "alone", "above"]
    assert told(made[2]) == ["The next one is wide."]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("What e.g. `a. B` is, we know now. The rest follows.", "What e.g. a. B is, we know now."),
        ("Not this one of several words. The sums are:\n\n$$a$$", "The sums are:"),
        ("To the end. So it goes on and on. And on.", "To the end. So it goes on and on."),  # too short alone
        ("(A remark. In brackets.) What it is about is this. More.", "What it is about is this."),
    ],
)
def test_of_a_paragraph_a_slide_has_a_sentence(text, sentence):
    assert told(slides_of(notebook(new_markdown_cell(f"## One\n\n{text}")))[0])[0] == sentence


def test_a_formula_and_the_first_sentence_of_each_item_are_shown():
    text = "## One\n\nThe loss of an example is:\n\n$$-\\log p$$\n\n1. First. It has a remark.\n2. Second."
    assert told(slides_of(notebook(new_markdown_cell(text)))[0]) == [
        "The loss of an example is:", "formula  ", "1. First.", "2. Second."]  # fmt: skip


def test_a_section_that_shows_nothing_has_a_sentence_of_each_paragraph_and_sources_stay_out():
    text = (
        "## One\n\nA first paragraph has this. And more.\n\nA second one has that.\n\n## Sources\n\n- A book."
    )
    made = slides_of(notebook(new_markdown_cell(text)))
    assert [told(slide) for slide in made] == [["A first paragraph has this.", "A second one has that."]]


def test_an_exercise_has_what_asks_and_its_formulas():
    text = "### Problem 1: derive\n\nTake a loss. It is $-\\log p$. Do not hurry. Which slope has it?\n\n$$\\delta$$"
    assert told(slides_of(notebook(new_markdown_cell(text)))[0]) == [
        "Take a loss. It is - p. Which slope has it?", "formula  "]  # fmt: skip


def test_claims_are_a_table_of_number_and_bound():
    outputs = [claim("test accuracy: 0.9912 (at least 0.985)"), claim("bytes (of 4): 3 (exactly 3)")]
    made = slides_of(notebook(new_markdown_cell("## One"), new_code_cell("guard()", outputs=outputs)))
    assert "<td>test accuracy</td><td>0.9912</td><td>at least 0.985</td>" in made[0].words[0].cell.source
    assert "<td>bytes (of 4)</td><td>3</td><td>exactly 3</td>" in made[0].words[0].cell.source


def test_plumbing_long_code_and_long_tables_stay_in_the_notebook():
    table = new_output("display_data", {"text/html": "<table></table>", "text/plain": "a row\n" * 40})
    made = slides_of(
        notebook(
            new_markdown_cell("## One"),
            new_code_cell("def double(x):\n    return 2 * x"),
            new_code_cell("x = double(1)"),
            new_code_cell("def long(x):\n" + "    x += 1\n" * 30),
            new_code_cell("x", outputs=[table]),
        )
    )
    assert [told(slide) for slide in made] == [["def double(x):\n    return 2 * x"]]


def test_after_an_exercise_s_check_its_section_goes_on():
    check = new_output(
        "display_data", {"text/plain": "not attempted"}, metadata={RESULT_MIME: {"exercise": {}}}
    )
    made = slides_of(
        notebook(
            new_markdown_cell("## One\n\nWords."),
            new_markdown_cell("### Exercise 1: try\n\nFill it in."),
            new_code_cell("def f(x):\n    return ..."),
            new_code_cell("k2c.check('a.1', f)", outputs=[check]),
            new_markdown_cell("Did you?"),
        )
    )
    assert [slide.title for slide in made] == ["One", "Exercise 1: try", "One"]


@pytest.mark.parametrize(
    ("kind", "titles", "words"),
    [
        ("slide", ["One", "One"], ["First.", "Second."]),
        ("skip", ["One"], ["First."]),
        ("notes", ["One"], ["First."]),
        ("fragment", ["One"], ["First.", "Second."]),
    ],
)
def test_a_cell_s_slide_type_decides(kind, titles, words):
    made = slides_of(
        notebook(new_markdown_cell("## One\n\nFirst."), typed(new_markdown_cell("Second."), kind))
    )
    assert [slide.title for slide in made] == titles
    assert [text for slide in made for text in told(slide)] == words


def test_code_with_a_slide_type_is_shown():
    made = slides_of(notebook(new_markdown_cell("## One"), typed(new_code_cell("x = 1"), "fragment")))
    assert told(made[0]) == ["x = 1"]


def test_slides_are_one_file_that_loads_nothing(tiny_course, tmp_path, k2c):
    result = k2c("slides", "00", "--out", str(tmp_path / "slides.html"), "--code")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "slides.html").read_text(encoding="utf-8")
    assert "A tiny lecture" in page
    assert "src=" not in page
    assert "<link" not in page
    unknown = k2c("slides", "99")
    assert unknown.returncode == 2
    assert "There is no lecture '99'" in unknown.stderr

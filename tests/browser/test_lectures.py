"""The lectures in JupyterLab: each runs from top to bottom, and each widget answers to a hand."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

STROKES = json.loads(Path(__file__).with_name("strokes.json").read_text())


def draw(page, paper, strokes):
    """Draw strokes, points in 0..1, on the paper with the mouse."""
    box = paper.bounding_box()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=2)
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def test_lecture_1_words_light_up_as_one_types(open_lecture):
    notebook = open_lecture("01_spam_naive_bayes", test_fraction=0.5)
    notebook.run_all()
    notebook.wait_until_done()
    cell = notebook.cell("your-message")
    box = cell.get_by_label("Message")
    box.fill("")
    box.press_sequentially("claim your prize, pay the refund fee now")
    expect(cell.locator("span[title]", has_text="refund")).to_be_visible()
    expect(cell).to_contain_text(re.compile(r"log odds \+\d.*, so spam"))
    notebook.picture("lecture-1-spam")
    box.fill("lunch on tuesday with the kids?")
    expect(cell).to_contain_text("so ham")
    expect(cell.locator("span[title]", has_text="refund")).to_have_count(0)
    assert notebook.errors() == []


def test_lecture_2_training_is_stopped_and_the_digits_of_a_hand_are_read(open_lecture):
    notebook = open_lecture("02_lenet_mnist", source="digits", epochs=200)
    notebook.run_all()
    training = notebook.cell("training")
    expect(training).to_contain_text(re.compile(r"epoch (1[2-9]|[2-9]\d|1\d\d) of 200"))
    notebook.picture("lecture-2-training")
    training.get_by_role("button", name="Stop").click()
    notebook.wait_until_done()
    expect(training).to_contain_text("stopped by hand in epoch")
    pad = notebook.cell("your-digit")
    right = []
    for digit, strokes in STROKES.items():
        pad.get_by_role("button", name="Clear").click()
        expect(pad.locator(".k2c-caption")).to_contain_text("The paper is empty")
        draw(notebook.page, pad.locator("canvas"), strokes)
        right.append(f"reads {digit} " in answer_to_all_points(notebook, pad))
        notebook.picture(f"lecture-2-digit-{digit}")
    assert sum(right) >= 9, right
    assert notebook.errors() == []


def answer_to_all_points(notebook, pad):
    """Return the caption once it is about all that was drawn."""
    canvas = pad.locator("canvas").element_handle()
    notebook.page.wait_for_function("canvas => canvas.dataset.points === canvas.dataset.answered", arg=canvas)
    return pad.locator(".k2c-caption").inner_text()

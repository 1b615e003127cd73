"""The lectures in JupyterLab: each runs from top to bottom, and each widget answers to a hand."""

import json
import re
from importlib.resources import files
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


def drag(page, cell, name, share):
    """Drag the handle of a slider to a place, 0 (left) to 1, on its way."""
    slider = cell.locator(".widget-inline-hbox").filter(has=page.get_by_text(name, exact=True))
    slider.scroll_into_view_if_needed()
    way, handle = (slider.locator(part).bounding_box() for part in (".noUi-base", ".noUi-handle"))
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(way["x"] + share * way["width"], handle["y"] + handle["height"] / 2, steps=5)
    page.mouse.up()


def says(cell, words):
    """Wait until the caption of an image says something, and see that the image is there and nothing failed."""
    expect(cell.locator(".k2c-caption")).to_contain_text(words)
    expect(cell.locator("img")).to_have_attribute("alt", cell.locator(".k2c-caption").inner_text())
    expect(cell.locator("img")).to_be_visible()
    expect(cell.get_by_role("alert")).to_have_count(0)


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
    notebook.image("lecture-1-spam")
    box.fill("lunch on tuesday with the kids?")
    expect(cell).to_contain_text("so ham")
    expect(cell.locator("span[title]", has_text="refund")).to_have_count(0)
    assert notebook.errors() == []


def test_lecture_2_training_is_stopped_and_the_digits_of_a_hand_are_read(open_lecture):
    notebook = open_lecture("02_lenet_mnist", source="digits", epochs=200)
    notebook.run_all()
    training = notebook.cell("training")
    expect(training).to_contain_text(re.compile(r"epoch (1[2-9]|[2-9]\d|1\d\d) of 200"))
    notebook.image("lecture-2-training")
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
        notebook.image(f"lecture-2-digit-{digit}")
    assert sum(right) >= 9, right
    says(pad, "The network reads 9")
    assert notebook.errors() == []


def answer_to_all_points(notebook, pad):
    """Return the caption once it is about all that was drawn."""
    canvas = pad.locator("canvas").element_handle()
    notebook.page.wait_for_function("canvas => canvas.dataset.points === canvas.dataset.answered", arg=canvas)
    return pad.locator(".k2c-caption").inner_text()


def test_lecture_3_a_image_is_chosen_and_uploaded_and_another_answer_explained(open_lecture):
    notebook = open_lecture("03_pretrained_imagenet", stride=56, views=2, repeats=3)
    notebook.run_all()
    notebook.wait_until_done()
    page, cell = notebook.page, notebook.cell("pick")
    says(cell, "best answer is tiger cat")
    cat = cell.locator("img").get_attribute("src")
    cell.get_by_label("ImageArray").select_option("coffee")
    says(cell, re.compile("best answer is espresso .* answer number 1, espresso"))
    expect(cell.locator("img")).not_to_have_attribute("src", cat)
    drag(page, cell, "Answer", 0.25)
    says(cell, re.compile("best answer is espresso .* answer number 2, cup"))
    with page.expect_file_chooser() as chooser:
        cell.get_by_role("button", name="Your own").click()
    chooser.value.set_files(str(files("skimage").joinpath("data/camera.png")))
    says(cell, "best answer is tripod")
    cell.get_by_label("ImageArray").select_option("coffee")
    says(cell, "best answer is espresso")
    notebook.image("lecture-3")
    assert notebook.errors() == []


def test_lecture_4_a_work_group_steps(open_lecture):
    notebook = open_lecture("04_gpu_kernels", source="digits", side=128, batch_size=20, steps=10)
    notebook.run_all()
    notebook.wait_until_done()
    page, cell = notebook.page, notebook.cell("step-group")
    says(cell, "without tiles it would read 2,048")
    drag(page, cell, "Step", 1)
    says(cell, "256 so far. Over all steps it reads 256")
    drag(page, cell, "Tile", 0)
    says(cell, "without tiles it would read 128")
    notebook.image("lecture-4")
    assert notebook.errors() == []


def test_lecture_5_sliders_change_eye_augmentation_and_decision(open_lecture):
    notebook = open_lecture("05_fundus_transfer", n_eyes=200, prevalence=0.2, epochs=5)
    notebook.run_all()
    notebook.wait_until_done()
    page, cell = notebook.page, notebook.cell("synthetic-eye")
    says(cell, "Grade 3 (severe), blur 0:")
    marked = cell.locator("img").get_attribute("src")
    cell.get_by_label("Show where the lesions are").uncheck()
    expect(cell.locator("img")).not_to_have_attribute("src", marked)
    drag(page, cell, "Blur", 1)
    drag(page, cell, "Grade", 0)
    says(cell, "Grade 0 (none), blur 4: no lesions.")
    notebook.image("lecture-5-eye")
    cell = notebook.cell("augment-sliders")
    drag(page, cell, "Noise", 1)
    drag(page, cell, "Turned", 0)
    says(cell, "noise of 50% of the range, and a turn with a chance of 0%")
    notebook.image("lecture-5-augmentation")
    cell = notebook.cell("threshold-slider")
    drag(page, cell, "Threshold", 0)
    says(cell, re.compile(r"positives are found \(100%\) .* negatives raise an alarm \(100%\)"))
    drag(page, cell, "Threshold", 1)
    says(cell, re.compile(r"negatives raise an alarm \(0%\)"))
    before = cell.locator(".k2c-caption").inner_text()
    drag(page, cell, "Miss costs", 1)
    expect(cell.locator(".k2c-caption")).not_to_have_text(before)
    notebook.image("lecture-5-threshold")
    assert notebook.errors() == []


def test_lecture_6_a_ring_steps_and_a_link_speeds_up(open_lecture):
    notebook = open_lecture(
        "06_distributed_chest_xray", n_films=200, enriched=1.0, everything=False, epochs=1
    )
    notebook.run_all()
    notebook.wait_until_done()
    page, cell = notebook.page, notebook.cell("ring-steps")
    says(cell, "Each worker sent one piece to the next, who added it to its own. 4 of 16 pieces are complete")
    drag(page, cell, "Round", 1)
    says(cell, "16 of 16 pieces are complete. So far each has sent 6/4 of the gradient")
    drag(page, cell, "Workers", 1)
    says(cell, "So far each has sent 6/8 of the gradient")
    notebook.image("lecture-6-ring")
    cell = notebook.cell("scaling-sliders")
    says(cell, "64 workers, a link of 10 Gbit/s")
    drag(page, cell, "Nodes", 1)
    drag(page, cell, "Gbit/s", 0)
    drag(page, cell, "Model, MB", 1)
    says(cell, "256 workers, a link of 0.1 Gbit/s, 10000 MB of gradient")
    notebook.image("lecture-6-scaling")
    assert notebook.errors() == []

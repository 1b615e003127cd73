"""The lectures in JupyterLab run from top to bottom, and each widget answers to a hand, there and on the site."""

import json
import os
import re
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from k2c._system.paths import project_root

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
    """Drag the handle of a slider to a place, 0 (left) to 1."""
    slider = cell.get_by_label(name, exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], middle, steps=5)
    page.mouse.up()


def says(cell, words):
    """Wait until the caption says something, and see that the image is there, has words, and nothing failed."""
    expect(cell.locator(".k2c-caption")).to_contain_text(words)
    expect(cell.locator(".k2c-views").locator("[role=img], table, img, .k2c-card").first).to_be_visible()
    expect(cell.locator(".k2c-views img:not([alt])")).to_have_count(0)
    expect(cell.get_by_role("alert")).to_have_count(0)


# ---- A hand on each widget: the same in JupyterLab and on the site, where no kernel runs


def type_messages(page, cell):
    box = cell.get_by_label("Message")
    box.fill("")
    box.press_sequentially("claim your prize, pay the refund fee now")
    expect(cell.locator("span[title]", has_text="refund")).to_be_visible()
    says(cell, re.compile(r"log odds \+\d.*, so spam"))
    box.fill("lunch on tuesday with the kids?")
    says(cell, "so ham")
    expect(cell.locator("span[title]", has_text="refund")).to_have_count(0)


def draw_digits(page, cell):
    paper, right = cell.get_by_role("application"), []
    paper.scroll_into_view_if_needed()
    example = paper.get_attribute("data-points")
    for number, (digit, strokes) in enumerate(STROKES.items()):
        if number:  # the first stroke of all starts a clean sheet by itself
            cell.get_by_role("button", name="Clear").click()
            expect(cell.locator(".k2c-caption")).to_contain_text("The paper is empty")
        draw(page, paper, strokes)
        page.wait_for_function(
            "canvas => canvas.dataset.points === canvas.dataset.answered", arg=paper.element_handle()
        )
        right.append(f"reads {digit} " in cell.locator(".k2c-caption").inner_text())
        assert number or paper.get_attribute("data-points") != example
    assert sum(right) >= 9, right
    says(cell, "The network reads 9")


def choose_photographs(page, cell):
    says(cell, "best answer is tiger cat")
    cell.get_by_label("Photograph", exact=True).select_option("coffee")
    says(cell, re.compile("best answer is espresso .* answer number 1, espresso"))
    drag(page, cell, "Answer", 0.25)
    says(cell, re.compile("best answer is espresso .* answer number 2, cup"))


def step_a_group(page, cell):
    says(cell, "without tiles it would read 2,048")
    drag(page, cell, "Step", 1)
    says(cell, "256 so far. Over all steps it reads 256")
    drag(page, cell, "Tile", 0)
    says(cell, "without tiles it would read 128")


def look_at_an_eye(page, cell):
    says(cell, "Grade 3 (severe), blur 0:")
    assert cell.locator("path.k2c-outline").count() > 1
    cell.get_by_label("Show where the lesions are").uncheck()
    expect(cell.locator("path.k2c-outline")).to_have_count(0)
    drag(page, cell, "Blur", 1)
    drag(page, cell, "Grade", 0)
    says(cell, "Grade 0 (none), blur 4: no lesions.")


def augment(page, cell):
    drag(page, cell, "Noise", 1)
    drag(page, cell, "Turned", 0)
    says(cell, "noise of 50% of the range, and a turn with a chance of 0%")


def move_a_threshold(page, cell):
    drag(page, cell, "Threshold", 0)
    says(cell, re.compile(r"positives are found \(100%\) .* negatives raise an alarm \(100%\)"))
    drag(page, cell, "Threshold", 1)
    says(cell, re.compile(r"negatives raise an alarm \(0%\)"))
    before = cell.locator(".k2c-caption").inner_text()
    drag(page, cell, "Miss costs", 1)
    expect(cell.locator(".k2c-caption")).not_to_have_text(before)


def step_a_ring(page, cell):
    says(cell, "Each worker sent one piece to the next, who added it to its own. 4 of 16 pieces are complete")
    drag(page, cell, "Round", 1)
    says(cell, "16 of 16 pieces are complete. So far each has sent 6/4 of the gradient")
    drag(page, cell, "Workers", 1)
    says(cell, "So far each has sent 6/8 of the gradient")


def speed_up_a_link(page, cell):
    says(cell, "64 workers, a link of 1 Gbit/s")
    drag(page, cell, "Nodes", 1)
    drag(page, cell, "Gbit/s", 0)
    drag(page, cell, "Model, MB", 1)
    says(cell, "256 workers, a link of 0.1 Gbit/s, 10000 MB of gradient")


WIDGETS = {
    "01_spam_naive_bayes": {"your-message": type_messages},
    "02_lenet_mnist": {"your-digit": draw_digits},
    "03_pretrained_imagenet": {"pick": choose_photographs},
    "04_gpu_kernels": {"step-group": step_a_group},
    "05_fundus_transfer": {
        "synthetic-eye": look_at_an_eye,
        "augment-sliders": augment,
        "threshold-slider": move_a_threshold,
    },
    "06_distributed_chest_xray": {"ring-steps": step_a_ring, "scaling-sliders": speed_up_a_link},
}


def a_hand_on_all_widgets(notebook, lecture):
    for name, hand in WIDGETS[lecture].items():
        hand(notebook.page, notebook.cell(name))
        notebook.image(f"{lecture}-{name}")


# ---- The lectures in JupyterLab


def test_lecture_1_words_light_up_as_one_types(open_lecture):
    notebook = open_lecture("01_spam_naive_bayes", test_fraction=0.5)
    notebook.run_all()
    notebook.wait_until_done()
    a_hand_on_all_widgets(notebook, "01_spam_naive_bayes")
    assert notebook.errors() == []


def test_lecture_2_training_is_stopped_and_the_digits_of_a_hand_are_read(open_lecture):
    notebook = open_lecture(
        "02_lenet_mnist", WIDGETS["02_lenet_mnist"], source="digits", epochs=200, everything=False
    )
    notebook.run_all()
    training = notebook.cell("training")
    expect(training).to_contain_text(re.compile(r"epoch (1[2-9]|[2-9]\d|1\d\d) of 200"))
    notebook.image("lecture-2-training")
    training.get_by_role("button", name="Stop").click()
    notebook.wait_until_done()
    expect(training).to_contain_text("stopped by hand in epoch")
    a_hand_on_all_widgets(notebook, "02_lenet_mnist")
    assert notebook.errors() == []


def test_lecture_3_a_image_is_chosen_and_uploaded_and_another_answer_explained(open_lecture):
    notebook = open_lecture(
        "03_pretrained_imagenet",
        WIDGETS["03_pretrained_imagenet"],
        stride=56,
        views=2,
        repeats=3,
        everything=False,
    )
    notebook.run_all()
    notebook.wait_until_done()
    a_hand_on_all_widgets(notebook, "03_pretrained_imagenet")
    cell = notebook.cell("pick")
    cell.get_by_label("Your own").set_input_files(str(files("skimage").joinpath("data/camera.png")))
    says(cell, "best answer is tripod")
    cell.get_by_label("Photograph", exact=True).select_option("coffee")
    says(cell, "best answer is espresso")
    assert notebook.errors() == []


def test_lecture_4_a_work_group_steps(open_lecture):
    notebook = open_lecture("04_gpu_kernels", source="digits", side=128, batch_size=20, steps=10)
    notebook.run_all()
    notebook.wait_until_done()
    a_hand_on_all_widgets(notebook, "04_gpu_kernels")
    assert notebook.errors() == []


def test_lecture_5_sliders_change_eye_augmentation_and_decision(open_lecture):
    notebook = open_lecture(
        "05_fundus_transfer",
        WIDGETS["05_fundus_transfer"],
        n_eyes=200,
        prevalence=0.2,
        epochs=5,
        everything=False,
    )
    notebook.run_all()
    notebook.wait_until_done()
    a_hand_on_all_widgets(notebook, "05_fundus_transfer")
    assert notebook.errors() == []


def test_lecture_6_a_ring_steps_and_a_link_speeds_up(open_lecture):
    notebook = open_lecture(
        "06_distributed_chest_xray", n_films=200, enriched=1.0, everything=False, epochs=1
    )
    notebook.run_all()
    notebook.wait_until_done()
    a_hand_on_all_widgets(notebook, "06_distributed_chest_xray")
    assert notebook.errors() == []


# ---- The widgets on the site


def words_of_still(lecture, name):
    """Return what the committed notebook says of a widget where no script runs: alive, it opens on the same."""
    notebook = nbformat.read(project_root() / f"notebooks/{lecture}.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id == name)
    return cell.outputs[0].data["text/plain"]


@pytest.mark.parametrize(
    ("lecture", "name"), [(lecture, name) for lecture, hands in WIDGETS.items() for name in hands]
)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_widget_answers_on_the_site_without_kernel_and_network(site, browser, lecture, name, scheme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, has_touch=width < 500
    )
    page, failed = context.new_page(), []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto((site / f"{lecture}.html").as_uri())
    cell = page.locator(f".k2c-live[data-widget='{lecture}.{name}']")
    cell.scroll_into_view_if_needed()
    expect(cell.locator(".k2c-note")).to_contain_text("Live: it runs in this page")
    expect(cell.locator(".k2c-still")).to_have_count(0)
    expect(cell.locator(".k2c-caption")).to_have_text(words_of_still(lecture, name))
    keep_image(cell, f"site-{name}-{scheme}-{width}")
    WIDGETS[lecture][name](page, cell)
    keep_image(cell, f"site-{name}-{scheme}-{width}-moved")
    assert failed == []
    context.close()


def keep_image(cell, name):
    if folder := os.environ.get("K2C_BROWSER_IMAGES"):
        cell.screenshot(path=Path(folder) / f"{name}.png")

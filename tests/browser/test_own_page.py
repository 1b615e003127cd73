"""A classifier as one web page, from the file system: it says what Python says, and asks the network for nothing."""

import base64
import io
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from k2c.datasets import read_image, sample_photograph
from k2c.models import AnswerGraph, ModelCard, OwnClassifier, Preprocessing, backbone, square_of
from k2c.models.views import KINDS

SAMPLES = ("cat", "coffee", "rocket", "retina")
LOADING = 240_000  # ms; a page of 17 MB on a loaded machine

BYTES = "Uint8Array.from(atob(text), letter => letter.charCodeAt(0))"  # of a text in base64


@pytest.fixture(scope="module")
def own():
    network = backbone()
    weight = torch.randn(3, network.n_features, generator=torch.Generator().manual_seed(0)) / 10
    card = ModelCard("Nothing.", "2 of 4 right.", "Anything </script><b>at all</b>.")
    return OwnClassifier(network, ["one", "</script>two", "thrée"], weight, torch.zeros(3), card=card)


@pytest.fixture(scope="module")
def file(own, tmp_path_factory):
    pytest.importorskip("onnx")
    from k2c.own import export_page

    file = tmp_path_factory.mktemp("page") / "own.html"
    export_page(own, file, title="A page")
    return file


@pytest.fixture
def opened(browser, file):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, problems = context.new_page(), []
    page.set_default_timeout(LOADING)
    page.on("request", lambda asked: problems.append(asked.url) if asked.url.startswith("http") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(file.as_uri(), timeout=LOADING)
    page.locator("#status", has_text="Ready.").wait_for()
    yield page
    assert problems == []
    context.close()


def png(name):
    buffer = io.BytesIO()
    Image.fromarray(sample_photograph(name)).save(buffer, "PNG")
    return {"name": f"{name}.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def test_a_page_says_what_python_says(opened, own):
    opened.set_input_files("#files", [png(name) for name in SAMPLES])
    opened.locator("article").nth(len(SAMPLES) - 1).wait_for()
    graph = AnswerGraph(own).eval()
    for name in SAMPLES:
        square = square_of(sample_photograph(name), own.kind, own.network.preprocessing)
        with torch.inference_mode():
            expected = graph(torch.from_numpy(square[None])).probabilities[0].tolist()
        rows = opened.locator("article", has_text=f"{name}.png").locator("button.answer")
        assert rows.count() == 3
        for text in rows.all_inner_texts():
            word, value, *_ = text.split("\n")
            assert float(value.rstrip(" %")) / 100 == pytest.approx(
                expected[own.classes.index(word)], abs=0.01
            )
    assert opened.inner_text("h1") == "A page"
    assert "Anything </script><b>at all</b>." in opened.inner_text("dd.warn")
    # The second class by the keyboard: its map is shown.
    second = opened.locator("article").first.locator("button.answer").nth(1)
    second.focus()
    opened.keyboard.press("Enter")
    assert second.get_attribute("aria-pressed") == "true"
    word = second.locator(".name").inner_text()
    assert opened.locator("article").first.locator("figcaption b").inner_text() == word


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_nothing_is_serious_for_axe_and_nothing_too_wide(browser, file, scheme, width):
    # Looking into a page needs what its own rules forbid.
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    page.goto(file.as_uri(), timeout=LOADING)
    page.set_default_timeout(LOADING)
    page.set_input_files("#files", [png("cat")])
    page.locator("article").wait_for()
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    assert [found["help"] for found in violations if found["impact"] in ("serious", "critical")] == []
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    context.close()


def test_what_is_no_image_is_a_sentence(opened):
    opened.set_input_files("#files", [{"name": "notes.png", "mimeType": "image/png", "buffer": b"text"}])
    opened.locator("#status", has_text="notes.png cannot be answered. It is no image").wait_for()


def test_the_page_stays_alive_while_it_computes(opened):
    file = io.BytesIO()
    Image.fromarray(sample_photograph("cat")).resize((3000, 2000)).save(file, "JPEG")
    tools = opened.context.new_cdp_session(opened)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked():
        metrics = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
        return metrics["TaskDuration"]

    opened.evaluate(
        f"text => {{ window.blob = new Blob([{BYTES}]); }}", base64.b64encode(file.getvalue()).decode()
    )
    before = worked()
    opened.evaluate("network.then(({ answer }) => answer(blob))")
    # Seconds that the processor spent on the page's own thread, whatever else the machine does: no event waits longer.
    assert worked() - before < 0.05


def test_squares_are_pythons_to_the_last_bit(browser, file):
    page = browser.new_page()
    with page.expect_worker() as started:
        page.goto(file.as_uri(), timeout=LOADING)
    images = (sample_photograph("microaneurysms"), sample_photograph("retina")[::4, ::5])
    for kind, interpolation, image in product(KINDS, ("bicubic", "bilinear"), images):
        recipe = {"size": 96, "resize": 110, "interpolation": interpolation}
        height, width = image.shape[:2]
        found = started.value.evaluate(
            f"""([text, width, height, kind, recipe]) => {{
                const data = {BYTES};
                return [...squareOf({{data, width, height}}, kind, recipe).data]; }}""",
            [base64.b64encode(image.tobytes()).decode(), width, height, kind, recipe],
        )
        preprocessing = Preprocessing(**recipe, mean=(0.5,) * 3, std=(0.5,) * 3)
        expected = square_of(np.ascontiguousarray(image), kind, preprocessing)
        np.testing.assert_array_equal(np.reshape(found, expected.shape), expected)
    page.close()


@pytest.mark.realdata
@pytest.mark.parametrize(("folder", "kind"), [("imagenet", "photograph"), ("fundus/images", "fundus")])
def test_files_from_cameras_are_answered_as_python_answers_them(browser, file, own, folder, kind):
    if not (root := os.environ.get("K2C_REALDATA")):
        pytest.skip("K2C_REALDATA is not set")
    page = browser.new_page()
    with page.expect_worker() as started:
        page.goto(file.as_uri(), timeout=LOADING)
    page.locator("#status", has_text="Ready.").wait_for(timeout=LOADING)
    graph = AnswerGraph(own).eval()
    for image in sorted(Path(root, folder).glob("*.jpg"))[:60:10]:
        said = started.value.evaluate(
            f"""async ([text, kind]) => {{
                const {{ model, answer }} = network;
                model.kind = kind;
                const said = await answer(new Blob([{BYTES}]));
                return {{square: [...said.square.data], probabilities: [...said.probabilities]}}; }}""",
            [base64.b64encode(image.read_bytes()).decode(), kind],
        )
        square = square_of(read_image(image), kind, own.network.preprocessing)
        np.testing.assert_array_equal(said["square"], square.ravel())
        with torch.inference_mode():
            expected = graph(torch.from_numpy(square[None])).probabilities[0].tolist()
        assert said["probabilities"] == pytest.approx(expected, abs=0.002)  # its weights have 16 bits
    page.close()

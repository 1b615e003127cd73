"""The widgets' front ends on a page from the file system: what they compute is what Python computes."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect
from sklearn.feature_extraction.text import CountVectorizer

from k2c import kernels
from k2c.datasets import load_spam, sample_photograph
from k2c.display.widgets.digits import DigitPad, rasterise, read_digit
from k2c.display.widgets.eyes import AugmentationSliders, SyntheticEye
from k2c.display.widgets.kernels import GroupStepper, touched
from k2c.display.widgets.messages import MessageBox
from k2c.display.widgets.photographs import ImagePicker
from k2c.display.widgets.scaling import RingSteps, ScalingCurves, ring_states
from k2c.display.widgets.screening import ThresholdSlider, decide
from k2c.models import LeNet, NaiveBayes, backbone, image_logits, imagenet_classifier, top_classes
from k2c.own.onnx_file import onnx_bytes
from k2c.own.page import about_page, write_model_pages
from k2c.parallel.cost import StepCost
from k2c.runs.site.build import STATIC
from k2c.runs.site.live import write_scripts

STROKES = json.loads(Path(__file__).with_name("strokes.json").read_text())
DEVICES = [device.name for device in kernels.devices() if device.found and device.name in ("opencl", "cuda")]
PAGE = """<!doctype html><html lang="en" data-theme="light"><title>Widget</title>
<meta name="viewport" content="width=device-width">
<style>html[data-theme=dark] { background: #14181e; color: #ced6dd }</style>
<main><h1>Widget</h1><div class="k2c-live" data-widget="one"><div class="k2c-still">A still image.</div></div></main>
<script src="live.js"></script></html>"""


class WidgetPage:
    """A page with one widget that no kernel drives."""

    def __init__(self, page, widget):
        self.page, self.widget = page, widget
        self.cell = page.locator(".k2c-live")

    def compute(self, expression, argument=None):
        """Evaluate JavaScript in which `front` is the widget's module, `data` its data, `given` the argument."""
        script = f"""async (given) => {{
            const front = await k2cLive.module({self.widget.front!r}); return {expression}; }}"""
        return self.page.evaluate(script, argument)

    def says_what_python_says(self):
        """Compare the caption with the words of the still image at the same values."""
        expect(self.cell.locator(".k2c-caption")).to_have_text(self.widget.still()["text/plain"])
        expect(self.cell.get_by_role("alert")).to_have_count(0)


def assert_usable(page):
    """Ask axe-core in both modes, and whether a telephone has to scroll to the side."""
    from axe_playwright_python.sync_playwright import Axe

    size, wide = (
        page.viewport_size,
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    )
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
        found = Axe().run(page).response["violations"]
        assert [
            (each["help"], each["nodes"]) for each in found if each["impact"] in ("serious", "critical")
        ] == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate(wide) <= 0
        page.set_viewport_size(size)


@pytest.fixture
def open_widget(browser, tmp_path):
    """Return a function that opens a page with a widget, without a kernel and without the network."""
    contexts = []

    def opened(widget, **options):
        (tmp_path / "live.js").write_text((STATIC / "live.js").read_text())
        write_scripts(tmp_path / "live", {"one": widget.live()})
        (tmp_path / "index.html").write_text(PAGE)
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        failed = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto((tmp_path / "index.html").as_uri())
        page.locator(".k2c-note").wait_for()
        assert failed == []
        assert_usable(page)
        return WidgetPage(page, widget)

    yield opened
    for context in contexts:
        context.close()


def test_a_ring_passes_on_what_python_passes_on(open_widget):
    here = open_widget(RingSteps(4))
    values = np.random.default_rng(0).integers(0, 100, (5, 5))
    assert here.compute("front.ringStates(given)", values.tolist()) == [
        s.tolist() for s in ring_states(values)
    ]
    for number in (4, 5, 6, 0, 1, 2):  # it opens at the end of the first half
        here.cell.get_by_role("button", name="Next round").click()
        here.widget.choose(round=number)
        here.says_what_python_says()
    here.cell.get_by_label("Workers").press("Home")
    here.widget.choose(workers=2, round=2)
    here.says_what_python_says()


@pytest.mark.parametrize("overlap", [True, False])
def test_scaling_curves_are_those_of_the_cost_model(open_widget, overlap):
    here = open_widget(ScalingCurves(StepCost(0.05, 0.1, 28e6, 0.01)).choose(overlap=overlap))
    here.says_what_python_says()
    for link, model in ((0.1, 10_000.0), (1000.0, 0.1), (31.622776601683793, 100.0)):
        here.widget.choose(link=link, model=model)
        found = here.compute(
            """given.ways.map((way) => given.counts.map((n) => front.speedUp(
                {...given.step, gradient_bytes: given.bytes}, n,
                {latency: given.latency, bandwidth: given.link * 1e9 / 8}, way, given.overlap)))""",
            here.widget.data
            | {"link": link, "bytes": model * 1e6, "overlap": overlap, "counts": here.widget._counts()}
            | {"ways": list(here.widget.curves())},
        )
        assert found == [pytest.approx(values, rel=1e-12) for values in here.widget.curves().values()]
    here.cell.get_by_label("Nodes").press("Home")
    here.widget.choose(nodes=2, link=10.0, model=28.0)
    here.says_what_python_says()


def test_a_threshold_decides_as_python_does(open_widget):
    random = np.random.default_rng(1)
    labels = (random.random(400) < 0.2).astype(int)
    scores = np.round(random.normal(labels, 1), 2)  # with ties
    here = open_widget(ThresholdSlider(scores, labels))
    here.says_what_python_says()
    for threshold, missed in ((-0.5, 1), (0.37, 12), (scores.max(), 100), (99.0, 3)):
        found = here.compute(
            "front.decide(front.sorted(given.scores, given.labels), given.threshold, given.missed)",
            {"scores": scores.tolist(), "labels": labels.tolist(), "threshold": threshold, "missed": missed},
        )
        made = decide(scores, labels, threshold, missed)
        assert found["counts"] == made.counts.tolist()
        numbers = found["cost"], found["least"], found["best"]
        assert numbers == pytest.approx((made.cost, made.least, made.best), abs=1e-15)
    for key, value in (("Home", scores.min()), ("End", scores.max())):
        here.cell.get_by_label("Threshold").press(key)
        here.widget.choose(threshold=float(value))
        here.says_what_python_says()


def test_words_are_worth_what_naive_bayes_says(open_widget):
    messages, vectorizer = load_spam("shipped"), CountVectorizer()
    filters = vectorizer, NaiveBayes().fit(vectorizer.fit_transform(messages.texts), messages.is_spam)
    here, words = open_widget(MessageBox(*filters)), vectorizer.get_feature_names_out()
    here.says_what_python_says()
    assert here.widget.data["words"].split(" ") == list(words)
    for text in ["", "FREE free\nprize!! x 4 £100", "naïve Überweisung_1 ﬁne ٣٤ a b", *messages.texts[:40]]:
        explained = filters[1].explain(vectorizer.transform([text]), words).iloc[1:]
        found = here.compute(
            "front.explain(front.model(given.data), given.text)", {"data": here.widget.data, "text": text}
        )
        assert [word for word, _ in found] == list(explained.index)
        assert [value for _, value in found] == pytest.approx(explained.tolist(), abs=1e-12)
    here.cell.get_by_label("Message").fill("Claim the refund <b>now</b>")
    here.widget.choose(message="Claim the refund <b>now</b>")
    here.says_what_python_says()


def test_the_pad_reads_what_python_reads_and_its_first_stroke_starts_a_clean_sheet(open_widget):
    torch.manual_seed(0)
    network = LeNet()
    for weights in network.parameters():
        weights.data *= 2  # answers that differ from digit to digit
        weights.data = weights.data.half().float()  # the pad has float16 weights
    here = open_widget(DigitPad(network), viewport={"width": 390, "height": 844}, has_touch=True)
    here.says_what_python_says()
    for strokes in [*STROKES.values(), [[[0.5, 0.5]]], []]:
        given = {"data": here.widget.data, "strokes": strokes}
        found = here.compute(
            """((found) => ({...found, image: [...found.image], maps: found.maps.map((map) => [...map.values])}))(
            front.read(front.network(given.data), front.rasterise(given.strokes)))""",
            given,
        )
        reading = read_digit(strokes, network)
        assert np.abs(np.array(found["image"]) - rasterise(strokes).ravel()).max() <= 1
        assert found["probabilities"] == pytest.approx(reading.probabilities, abs=1e-4)
        for map_, values in zip(found["maps"], reading.maps, strict=True):
            assert map_ == pytest.approx(values.ravel(), abs=1e-4)
    canvas = here.cell.get_by_role("application")
    assert int(canvas.get_attribute("data-points")) == 14
    canvas.tap()
    expect(canvas).to_have_attribute("data-points", "1")  # the example is gone
    canvas.tap(position={"x": 50, "y": 90})
    expect(canvas).to_have_attribute("data-points", "2")
    here.cell.get_by_role("button", name="Clear").click()
    expect(here.cell.locator(".k2c-caption")).to_contain_text("The paper is empty")
    canvas.focus()
    for key in (" ", *["ArrowDown"] * 6, " ", "ArrowLeft"):
        canvas.press(key)
    expect(canvas).to_have_attribute("data-points", "7")
    expect(here.cell.locator(".k2c-caption")).to_contain_text("The network reads")


@pytest.mark.skipif(not DEVICES, reason="no device here runs kernels")
def test_a_work_group_touches_what_the_trace_says(open_widget):
    here = open_widget(GroupStepper(kernels.open(DEVICES[0]), side=8))
    here.says_what_python_says()
    for tile, trace in here.widget.traces.items():
        for name in ("a", "c", "tile_b"):
            side = tile if "_" in name else 8
            found = here.compute(
                "((found) => [0, 1, 2].map((step) => [...front.touched(found.accesses, given.name, given.size, step)]))"
                "(front.trace(given.trace))",
                {"trace": here.widget.data["tiles"][str(tile)], "name": name, "size": side * side},
            )
            assert found == [touched(trace, name, (side, side), step).ravel().tolist() for step in range(3)]
    here.cell.get_by_role("button", name="Next step").click()
    here.widget.choose(step=2)
    here.says_what_python_says()


def test_variants_have_the_noise_and_the_turns_that_were_asked_for(open_widget):
    image = np.zeros((24, 18, 3), np.uint8)
    image[:12] = 128
    here = open_widget(AugmentationSliders(image))
    here.says_what_python_says()
    found = np.array(
        here.compute("given.seeds.map((seed) => [...front.variant(given.pixels, 0.1, 0.3, seed)])",
        {"pixels": np.dstack([image, np.full((24, 18), 255)]).ravel().tolist(), "seeds": list(range(200))})
    ).reshape(200, 24, 18, 4)  # fmt: skip
    turned = found[:, 12:, :, 0].mean(axis=(1, 2)) > 64
    assert turned.mean() == pytest.approx(0.3, abs=0.1)
    straight = found[~turned][:, :12, :, :3]
    assert (straight.mean(), straight.std()) == (pytest.approx(128, abs=0.5), pytest.approx(25.5, abs=0.5))
    here.cell.get_by_label("Noise").press("End")
    here.widget.choose(noise=0.5)
    here.says_what_python_says()


def test_an_eye_is_shown_as_it_was_drawn(open_widget):
    here = open_widget(SyntheticEye(size=64))
    here.says_what_python_says()
    expect(here.cell.get_by_role("img")).to_have_count(2)
    for label, key, chosen in (
        ("Grade", "End", {"grade": 4}),
        ("Blur", "End", {"blur": 4}),
        ("Eye", "Home", {"eye": 3}),
    ):
        here.cell.get_by_label(label, exact=True).press(key)
        here.widget.choose(**chosen)
        here.says_what_python_says()
    assert here.cell.locator("path.k2c-outline").count() == sum(
        mask.any() for mask in here.widget.drawing().masks.values()
    )
    here.cell.get_by_label("Show where the lesions are").uncheck()
    expect(here.cell.locator("path.k2c-outline")).to_have_count(0)


def test_ones_own_photograph_is_explained_without_a_kernel_where_the_networks_files_are(
    open_widget, tmp_path, monkeypatch
):
    pytest.importorskip("onnx")
    monkeypatch.setattr("k2c.display.widgets.photographs.SAMPLES", ["cat"])
    here = open_widget(ImagePicker(backbone()))
    start = here.cell.get_by_role("button", name="Try your own photograph")
    start.press("Enter")
    expect(here.cell.get_by_role("alert")).to_contain_text(
        "the site was built without them. Build it with k2c site"
    )
    own = imagenet_classifier("efficientnet_lite0")
    model = about_page(own), onnx_bytes(own, short=True)
    write_model_pages(tmp_path / "models", {"photographs": model, "equal": model})
    start.press("Enter")
    bring = here.cell.get_by_label("Your own", exact=True)
    expect(bring).to_be_focused()
    buffer = io.BytesIO()
    Image.fromarray(sample_photograph("coffee")).save(buffer, "PNG")
    bring.set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()}])
    expect(here.cell.get_by_label("Photograph", exact=True)).to_have_value("your own photograph")
    expected = top_classes(image_logits(backbone(), [sample_photograph("coffee")]), 5)
    rows = here.cell.locator(".k2c-answers tr")
    expect(rows.first.locator("th")).to_have_text(expected["name"][0])
    assert rows.locator("th").all_inner_texts() == list(expected["name"])
    sure = [float(text.rstrip("%")) / 100 for text in rows.locator("td").all_inner_texts()]
    assert sure == pytest.approx(expected["probability"], abs=0.01)
    assert_usable(here.page)
    bring.set_input_files([{"name": "b.png", "mimeType": "image/png", "buffer": b"text"}])
    expect(here.cell.get_by_role("alert")).to_contain_text("no image that this browser reads")


def test_a_photograph_is_explained_as_python_explains_it(open_widget, monkeypatch):
    monkeypatch.setattr("k2c.display.widgets.photographs.SAMPLES", ["cat", "coffee"])
    here = open_widget(ImagePicker(backbone("efficientnet_lite0")))
    here.says_what_python_says()
    here.cell.get_by_label("Photograph", exact=True).select_option("coffee")
    here.widget.image = sample_photograph("coffee")
    here.cell.get_by_label("Answer").press("End")
    here.widget.choose(answer=5)
    here.says_what_python_says()
    small = [0, 255, 255, 0]
    middle = here.compute("front.between(Float32Array.from(given), 2, 0.5, 0.5)", small)
    assert middle == pytest.approx(127.5)

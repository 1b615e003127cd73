"""Widgets without a browser: what they compute, what they show where no front end runs, what an error does."""

import base64
import io
import json

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer

from k2c._system.outputs import LIVE_MIME, WIDGET_VIEW
from k2c.datasets import load_spam
from k2c.display.widgets.eyes import AugmentationSliders, SyntheticEye, augmented
from k2c.display.widgets.messages import MessageBox, light_up
from k2c.display.widgets.scaling import RingSteps, ScalingCurves, ring_states
from k2c.display.widgets.screening import ThresholdSlider, decide
from k2c.errors import K2CError
from k2c.models import NaiveBayes
from k2c.parallel.cost import StepCost
from k2c.runs.execution.results import drop_bare_widgets


def image_of(widget):
    """Return the still image of a widget, having checked that the widget itself comes with it."""
    data, about = widget._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] == widget.model_id
    kind = next(kind for kind in data if kind.startswith("image/"))
    assert about[kind]["alt"] == data["text/plain"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data[kind]))).convert("L"))


@pytest.fixture(scope="module")
def filters():
    messages, vectorizer = load_spam("shipped"), CountVectorizer()
    counts = vectorizer.fit_transform(messages.texts)
    return vectorizer, NaiveBayes().fit(counts, messages.is_spam)


def test_words_light_up_by_their_log_odds(filters):
    page, plain = light_up("Claim the refund <b>now</b>", *filters)
    assert "<b>now" not in page
    assert 'title="+' in page
    assert "so spam" in plain
    assert "so ham" in light_up("lunch on tuesday with the kids?", *filters)[1]
    assert "start" in light_up("", *filters)[1]


def test_a_message_box_counts_as_its_front_end_does(filters):
    box = MessageBox(*filters).choose(message="lunch on tuesday")
    assert "tuesday" in box.still()["text/html"]
    assert len(box.data["words"].split(" ")) == box.data["log_odds"]["shape"][0]
    with pytest.raises(K2CError, match="has not counted anything"):
        MessageBox(CountVectorizer(), filters[1])
    pairs = CountVectorizer(ngram_range=(1, 2)).fit(["claim your prize"])
    with pytest.raises(K2CError, match=r"this one has ngram_range=\(1, 2\)"):
        MessageBox(pairs, filters[1])


def test_a_question_that_fails_is_shown_and_forgotten_after_the_next_that_does_not():
    eye = SyntheticEye(size=64)
    eye.asked = {"eye": 1, "grade": 7, "blur": 0}
    assert "grade=7 is not a grade" in eye.error
    eye.asked = {"eye": 1, "grade": 2, "blur": 0.25}
    assert eye.error == ""
    assert list(eye.data["frames"]) == ["1/2/0.25"]


def test_a_control_that_a_widget_has_not_got_is_named():
    with pytest.raises(K2CError, match="round"):
        RingSteps().choose(rounds=3)


def test_a_page_without_a_kernel_gets_all_that_a_widget_shows(monkeypatch):
    eye = SyntheticEye(size=32)
    assert LIVE_MIME not in eye._repr_mimebundle_()[0], "a student's notebook stays small"
    monkeypatch.setenv("K2C_WIDGETS", "keep")
    live = json.loads(json.dumps(RingSteps(5)._repr_mimebundle_()[0][LIVE_MIME]))
    assert live == {"front": "ring", "data": RingSteps().data, "values": {"workers": 5, "round": 4}}
    data = eye.page_data()
    shown = {
        f"{seed}/{grade}/{blur}" for seed in data["eyes"] for grade in range(5) for blur in data["blurs"]
    }
    assert set(data["frames"]) == shown


def test_a_saved_notebook_keeps_the_still_image_and_no_widget(filters):
    data, about = MessageBox(*filters)._repr_mimebundle_()
    outputs = [
        new_output("display_data", data, metadata=about),
        new_output("display_data", {WIDGET_VIEW: {"model_id": "1"}, "text/plain": "a bar"}),
    ]
    notebook = new_notebook(cells=[new_code_cell(outputs=outputs)], metadata={"widgets": {"state": {}}})
    drop_bare_widgets(notebook)
    (kept,) = notebook.cells[0].outputs
    assert set(kept.data) == {"text/html", "text/plain"}
    assert "widgets" not in notebook.metadata


def test_the_synthetic_eye_follows_its_sliders():
    eye = SyntheticEye(size=128)
    sharp = image_of(eye)
    eye.choose(blur=4.0)
    assert np.abs(np.diff(image_of(eye).astype(int))).mean() < np.abs(np.diff(sharp.astype(int))).mean()
    eye.choose(grade=0)
    assert eye.still()["text/plain"] == "Grade 0 (none), blur 4: no lesions."


def test_augmentation_turns_and_adds_noise():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10] = 128
    assert (augmented(image, 0, 0) == image).all()
    assert (augmented(image, 0, 1) == image[::-1, ::-1]).all()
    assert 0.05 < augmented(image, 0.1, 0)[:, :10].std() / 255 < 0.15
    sliders = AugmentationSliders(image)
    calm = image_of(sliders)
    sliders.choose(noise=0.5)
    assert (image_of(sliders) != calm).mean() > 0.1


def test_a_threshold_moves_the_matrix_and_the_cost():
    scores, labels = np.array([0.1, 0.2, 0.3, 0.8, 0.4, 0.9]), np.array([0, 0, 0, 0, 1, 1])
    made = decide(scores, labels, 0.5, missed=10)
    assert made.counts.tolist() == [[3, 1], [1, 1]]
    assert made.cost == pytest.approx(11 / 6)
    assert (made.least, made.best) == (pytest.approx(1 / 6), 0.4)
    slider = ThresholdSlider(scores, labels)
    slider.choose(threshold=0.9)
    assert "1 of 2 positives are found (50%) and 0 of 4 negatives" in slider.still()["text/plain"]
    before = image_of(slider)
    slider.choose(missed=100)
    assert (image_of(slider) != before).any()


def test_the_slider_opens_at_a_threshold_that_was_chosen_elsewhere():
    slider = ThresholdSlider(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), start=0.35)
    assert slider.values["threshold"] == 0.35


@pytest.mark.parametrize("workers", [2, 3, 5, 8])
def test_a_ring_ends_with_everybody_holding_the_sum(workers):
    values = np.random.default_rng(workers).integers(0, 100, (workers, workers))
    states = ring_states(values)
    assert len(states) == 2 * (workers - 1) + 1
    assert (states[-1] == values.sum(axis=0)).all()
    done = [(state == values.sum(axis=0)).sum() for state in states]
    assert done[workers - 1] == workers, "after half the rounds each piece is complete at one worker"


def test_fewer_workers_end_the_ring_earlier():
    ring = RingSteps(4).choose(round=6)
    assert "16 of 16 pieces are complete" in ring.still()["text/plain"]
    assert "4 of 4 pieces are complete" in ring.choose(workers=2).still()["text/plain"]
    image_of(ring)
    with pytest.raises(K2CError, match="2 to 8"):
        RingSteps(1)


def test_scaling_falls_with_a_slow_link_and_a_large_model():
    curves = ScalingCurves(StepCost(0.05, 0.1, 28e6))
    fast = curves.curves()["ring"][-1]
    curves.choose(link=1)
    slow = curves.curves()["ring"][-1]
    curves.choose(model=1000)
    assert fast > 2 * slow > 2 * curves.curves()["ring"][-1]
    assert "64 workers, a link of 1 Gbit/s, 1000 MB" in curves.still()["text/plain"]
    image_of(curves)
    with pytest.raises(K2CError, match="no bytes of gradient"):
        ScalingCurves(StepCost(0.05, 0.1, 0))

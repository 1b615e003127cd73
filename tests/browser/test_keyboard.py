"""Every widget in JupyterLab by keyboard alone: the arrow keys are the widget's, not the notebook's."""

import pytest
from playwright.sync_api import expect

from k2c import kernels

DEVICES = [device.name for device in kernels.devices() if device.found and device.name in ("opencl", "cuda")]
CELLS = {
    "message": """
        from sklearn.feature_extraction.text import CountVectorizer
        from k2c.datasets import load_spam
        from k2c.display.widgets.messages import MessageBox
        from k2c.models import NaiveBayes
        messages, vectorizer = load_spam("shipped"), CountVectorizer()
        MessageBox(vectorizer, NaiveBayes().fit(vectorizer.fit_transform(messages.texts), messages.is_spam))""",
    "pad": """
        from k2c.display.widgets.digits import DigitPad
        from k2c.models import LeNet
        DigitPad(LeNet())""",
    "photographs": """
        from k2c.display.widgets.photographs import ImagePicker
        from k2c.models import backbone
        ImagePicker(backbone("efficientnet_lite0"))""",
    "group": f"""
        from k2c import kernels
        from k2c.display.widgets.kernels import GroupStepper
        GroupStepper(kernels.open({(DEVICES or [""])[0]!r}))""",
    "eye": """
        from k2c.display.widgets.eyes import AugmentationSliders, SyntheticEye
        eye = SyntheticEye(size=64)
        eye""",
    "augmentation": "AugmentationSliders(eye.drawing().image)",
    "threshold": """
        from k2c.display.widgets.screening import ThresholdSlider
        ThresholdSlider([0.1, 0.4, 0.3, 0.8, 0.9, 0.2], [0, 0, 0, 1, 1, 1])""",
    "ring": """
        from k2c.display.widgets.scaling import RingSteps, ScalingCurves
        RingSteps()""",
    "scaling": """
        from k2c.parallel.cost import StepCost
        ScalingCurves(StepCost(0.05, 0.1, 58.9e6))""",
}
# The control, the key, and what the widget says after it.
PRESSES = {
    "photographs": [("Answer", "ArrowRight", "answer number 2")],
    "group": [("Step", "ArrowRight", "reads 0 numbers"), ("Tile", "ArrowLeft", "it would read 512")],
    "eye": [("Grade", "ArrowRight", "Grade 4 (proliferative)"), ("Blur", "ArrowUp", "blur 0.25")],
    "augmentation": [("Noise", "ArrowRight", "noise of 12%"), ("Turned", "ArrowDown", "a chance of 40%")],
    "threshold": [("Miss costs", "ArrowRight", "costs 11 alarms"), ("Threshold", "End", "threshold of 0.9")],
    "ring": [
        ("Workers", "ArrowRight", "3/5 of the gradient"),
        ("Round", "ArrowRight", "4/5 of the gradient"),
    ],
    "scaling": [("Nodes", "ArrowLeft", "32 workers"), ("Gbit/s", "ArrowUp", "a link of 12.6 Gbit/s")],
}


@pytest.fixture
def notebook(open_notebook):
    left_out = () if DEVICES else ("group",)
    cells = [(name, source) for name, source in CELLS.items() if name not in left_out]
    notebook = open_notebook("keyboard", *((name, _dedent(source)) for name, source in cells))
    notebook.run_all()
    notebook.wait_until_done()
    yield notebook
    assert notebook.errors() == []


def _dedent(source):
    import textwrap

    return textwrap.dedent(source).strip()


def test_keys_move_the_controls_and_not_the_notebook(notebook):
    for name, presses in PRESSES.items():
        if name not in CELLS:
            continue
        cell = notebook.cell(name)
        caption = cell.locator(".k2c-caption")
        expect(caption).not_to_be_empty()
        for label, key, words in presses:
            cell.get_by_label(label, exact=True).press(key)
            expect(caption).to_contain_text(words)
        expect(cell.get_by_role("alert")).to_have_count(0)

"""A folder in, a classifier out, with an honest report: two classes, several findings, all weights."""

import functools
import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from k2c.cli.group import explain
from k2c.errors import K2CError
from k2c.models import image_logits, load_classifier
from k2c.own import export_onnx, export_page, fine_tune
from k2c.own.held_out import held_out_table


@pytest.fixture(scope="module")
def tuned(data):
    return fine_tune(data, epochs=8)


def test_it_tells_apart_what_can_be_told_apart(tuned, data):
    assert len(tuned.train) + len(tuned.test) == 40
    assert set(tuned.train.patients).isdisjoint(tuned.test.patients)
    report = tuned.report()
    assert list(report.index) == ["lying", "standing", "all"]
    assert report.loc["all", "fraction right"] >= 0.9
    assert report.loc["all", "low"] < report.loc["all", "fraction right"] <= report.loc["all", "high"] <= 1
    assert tuned.history["train_loss"][-1] < tuned.history["train_loss"][0]
    assert 1e-6 < tuned.search.suggestion < 1


def test_the_card_says_what_it_learnt_from_and_how_well_it_does(tuned):
    card = tuned.classifier.card
    assert "30 images of the folder" in card.trained_on
    assert "of 10 held-out images right:" in card.measured
    assert "95 % interval" in card.measured
    assert "Area under the ROC curve" in card.measured
    assert "not a medical device" in card.not_for


def test_what_is_saved_answers_the_same(tuned, tmp_path):
    tuned.save(tmp_path / "mine.pt")
    assert (tmp_path / "mine.pt").stat().st_size < 30_000
    again = load_classifier(tmp_path / "mine.pt")
    assert (again.card, again.classes) == (tuned.classifier.card, ("lying", "standing"))
    images = [tuned.test.image(row) for row in range(4)]
    found = again.probabilities(image_logits(again.network, images)).numpy()
    np.testing.assert_allclose(found, tuned.probabilities[:4], atol=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tuned, tmp_path):
    import resource

    written = {"mine.pt": tuned.save, "mistakes.html": tuned.write_mistakes}
    if importlib.util.find_spec("onnx"):
        for name, export in (("mine.onnx", export_onnx), ("page.html", export_page)):
            written[name] = functools.partial(export, tuned.classifier)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for name, write in written.items():
        (tmp_path / name).write_text("old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(OSError) as caught:
                write(tmp_path / name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "Nothing more can be written" in explain(caught.value, [])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(written, "old")


def test_mistakes_come_with_their_images(tuned, tmp_path):
    tuned.probabilities[:2] = tuned.probabilities[:2, ::-1]  # two mistakes, one surer than the other
    tuned.probabilities[0] = np.where(tuned.probabilities[0] > 0.5, 0.999, 0.001)
    tuned.probabilities[1] = np.where(tuned.probabilities[1] > 0.5, 0.9, 0.1)
    table = tuned.mistakes()
    assert table["row"].tolist()[:2] == [0, 1]
    assert table["truth"][0] != table["answer"][0]
    assert tuned.write_mistakes(tmp_path / "mistakes.html", most=1) == 1
    assert tuned.write_mistakes(tmp_path / "none.html", most=0) == 0
    assert "There are none." in (tmp_path / "none.html").read_text(encoding="utf-8")
    page = (tmp_path / "mistakes.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 1
    assert f"It is {table['truth'][0]}, and the answer was {table['answer'][0]}." in page


def test_several_findings_and_all_weights(data, tmp_path):
    """Standing is one finding; a second one is known of nobody but a few, and is no mistake elsewhere."""
    table = data.table.assign(standing=data.labels.astype(float), lying=1.0 - data.labels)
    table.loc[20:, "lying"] = np.nan
    several = data.with_columns(standing=table["standing"], lying=table["lying"])
    several.table.drop(columns="label", inplace=True)
    several.classes = ("standing", "lying")
    several = several.subset(slice(12, 28))
    tuned = fine_tune(several, epochs=4, trunk_epochs=1, kind="film")
    assert tuned.report().loc["standing", "ROC AUC"] > 0.9
    assert len(tuned.history) == 5
    tuned.save(tmp_path / "all.pt")
    again = load_classifier(tmp_path / "all.pt")
    assert (again.multi_label, again.kind, again.own_weights) == (True, "film", True)
    inputs = torch.rand(1, 3, 96, 96)
    # The trained network keeps channels last, the loaded one first: they round differently.
    expected = tuned.classifier.network.logits(inputs)
    torch.testing.assert_close(again.network.logits(inputs), expected, rtol=1e-3, atol=1e-4)
    assert set(tuned.mistakes(100)["truth"]) <= {f"{c}: {w}" for c in several.classes for w in ("yes", "no")}


def test_intervals_are_of_patients_where_a_patient_has_several_images(data):
    right = np.stack([1.0 - data.labels, data.labels], axis=1)
    right[::4] = right[::4, ::-1]  # every fourth image is mistaken
    one = held_out_table(data, right).loc["all"]
    by_patient = held_out_table(data.with_columns(patient=[str(row % 4) for row in range(40)]), right).loc[
        "all"
    ]
    assert one["fraction right"] == by_patient["fraction right"] == 0.75
    # Wilson's interval of 30 of 40, as statistics packages give it.
    assert (one["low"], one["high"]) == pytest.approx((0.598, 0.858), abs=0.001)
    assert by_patient["high"] - by_patient["low"] > 1.3 * (one["high"] - one["low"])


def test_too_few_images_and_a_wrong_kind_are_sentences(data):
    with pytest.raises(K2CError, match="kind of image"):
        fine_tune(data, kind="x-ray")
    with pytest.raises(K2CError, match="too few"):
        fine_tune(data.subset([0, 1, 39]))
    with pytest.raises(K2CError, match="1 or more"):
        fine_tune(data, epochs=0)


def test_no_mistake_gives_an_empty_table(tuned):
    tuned.probabilities = np.eye(2, dtype=np.float32)[tuned.test.labels]
    assert isinstance(tuned.mistakes(), pd.DataFrame)
    assert tuned.mistakes().empty

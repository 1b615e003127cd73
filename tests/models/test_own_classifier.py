"""One's own classes on pretrained features: saved, read again, used by `k2c predict --model`; nothing else is read."""

import copy
import csv
import io
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from k2c._system.sealed import seal
from k2c.datasets import sample_photograph
from k2c.errors import K2CError
from k2c.models import (
    AnswerGraph,
    OwnClassifier,
    WeightsError,
    backbone,
    grad_cam,
    image_logits,
    load_classifier,
    predict_folder,
    top_classes,
)


@pytest.fixture(scope="module")
def network():
    return backbone()


@pytest.fixture(scope="module")
def images():
    return [sample_photograph(name) for name in ("cat", "coffee")]


@pytest.fixture(scope="module")
def own(network, images):
    """Each class's weights are the features of its photograph: what is most alike wins."""
    inputs = network.preprocessing(images)
    with torch.inference_mode():
        features = torch.nn.functional.normalize(network(inputs))
    return OwnClassifier(network, ["a cat", "coffee"], 20 * features, np.zeros(2))


@pytest.fixture
def file(own, tmp_path):
    own.save(tmp_path / "mine.pt")
    return tmp_path / "mine.pt"


def test_the_new_layer_names_the_new_classes_and_leaves_the_old_network_alone(own, network, images):
    logits = image_logits(own.network, images)
    assert logits.shape == (2, 2)
    top = top_classes(logits, 1, ["first", "second"], own.classes)
    assert top[["image", "name", "wnid"]].to_numpy().tolist() == [
        ["first", "a cat", ""],
        ["second", "coffee", ""],
    ]
    assert image_logits(network, images).shape == (2, 1000)
    assert image_logits(own.network, []).shape == (0, 2)


def test_what_is_saved_is_small_and_read_again_to_the_last_bit(own, file, images):
    again = load_classifier(file)
    assert again.classes == own.classes
    assert again.network.preprocessing == own.network.preprocessing
    assert torch.equal(image_logits(again.network, images), image_logits(own.network, images))
    assert file.stat().st_size < 20_000


def test_predict_writes_ones_own_classes(file, images, tmp_path, k2c):
    (tmp_path / "new").mkdir()
    for name, image in zip(("1.png", "2.png"), images, strict=True):
        Image.fromarray(image).save(tmp_path / "new" / name)
    done = k2c("predict", "new", "--model", "mine.pt", "--csv", "out.csv", "--top", "2")
    assert (done.returncode, "2 images predicted" in done.stdout) == (0, True), done.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["name"], row["index"]) for row in rows] == [
        ("1.png", "a cat", "0"), ("1.png", "coffee", "1"),
        ("2.png", "coffee", "1"), ("2.png", "a cat", "0"),
    ]  # fmt: skip
    assert float(rows[0]["probability"]) + float(rows[1]["probability"]) == pytest.approx(1, abs=2e-6)
    many = k2c("predict", "new", "--model", "mine.pt", "--csv", "out.csv", "--top", "3")
    assert many.returncode == 2
    assert "Each image can have 1 to 2 classes in the table, and 3 are asked for." in many.stderr


@pytest.mark.parametrize(
    ("classes", "weight", "bias", "said"),
    [
        (["one"], np.zeros((1, 1280)), np.zeros(1), "two names or more"),
        (["one", "one"], np.zeros((2, 1280)), np.zeros(2), "each of them once"),
        (["one", "two"], np.zeros((3, 1280)), np.zeros(3), r"need \(2, 1280\) and \(2,\)"),
        (["one", "two"], np.full((2, 1280), np.nan), np.zeros(2), "not finite"),
    ],
)
def test_what_does_not_fit_is_a_sentence(network, classes, weight, bias, said):
    with pytest.raises(K2CError, match=said):
        OwnClassifier(network, classes, weight, bias)


def test_one_row_is_enough_for_two_classes(network):
    row = np.random.default_rng(0).normal(size=(1, 1280))
    inputs = torch.rand(2, 3, 96, 96)
    logits = OwnClassifier(network, ["no", "yes"], row, [0.5]).network.logits(inputs)
    assert torch.equal(logits[:, 0], torch.zeros(2))
    torch.testing.assert_close(logits[:, 1], network(inputs) @ torch.tensor(row[0]).float() + 0.5)


class Shell:
    """What a hostile file would run when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def sealed(content, kind="classifier 2"):
    return content + seal(content, kind)


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return sealed(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_executes_something_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (saved({"network": Shell()}), sealed(pickle.dumps(Shell()))):
        (tmp_path / "bad.pt").write_bytes(content)
        with pytest.raises(WeightsError, match="is not loaded"):
            load_classifier(tmp_path / "bad.pt")
    assert not (tmp_path / "executed").exists()


def test_damage_is_found_wherever_it_is(file):
    whole = file.read_bytes()
    for place in (10, len(whole) // 2, len(whole) - 5):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(WeightsError, match="damaged"):
            load_classifier(file)
    file.write_bytes(whole[:-100])
    with pytest.raises(WeightsError, match="no checksum"):
        load_classifier(file)


def changed(file, **entries):
    content = torch.load(io.BytesIO(file.read_bytes()), weights_only=True)
    return saved({**content, **entries})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"network": "resnet9000"}, "resnet9000"),
        ({"weights": "0" * 64}, "other weights of efficientnet_lite0"),
        ({"weight": [1.0]}, "'weight' is missing or no Tensor"),
        ({"classes": ["one", "two", "three"]}, "need"),
        ({"preprocessing": {"size": 10**9}}, "how inputs are made"),
        ({"preprocessing": {"size": 10**9, "resize": 10**9, "interpolation": "bicubic", "mean": (0.5,) * 3,
                            "std": (0.5,) * 3}}, "how inputs are made"),
    ],
)  # fmt: skip
def test_content_that_cannot_be_used_is_a_sentence(file, entries, said):
    file.write_bytes(changed(file, **entries))
    with pytest.raises(K2CError, match=said):
        load_classifier(file)


def test_a_name_without_a_file_a_folder_and_a_pipe_are_sentences(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in {
        "missing.pt": "cannot be read",
        ".": "is a folder",
        "pipe": "no ordinary file",
    }.items():
        with pytest.raises(WeightsError, match=said):
            load_classifier(tmp_path / name)


def test_a_folder_is_predicted_from_python_too(file, images, tmp_path):
    (tmp_path / "new").mkdir()
    Image.fromarray(images[0]).save(tmp_path / "new" / "1.png")
    report = predict_folder(tmp_path / "new", tmp_path / "out.csv", model=file)
    assert report.predicted == 1
    assert ",a cat," in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_a_sheet_shows_each_image_with_a_map(file, images, tmp_path, k2c):
    (tmp_path / "new").mkdir()
    Image.fromarray(images[0]).save(tmp_path / "new" / "<1>.png")
    done = k2c("predict", "new", "--model", "mine.pt", "--csv", "out.csv", "--html", "out.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 1
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<h2>&lt;1&gt;.png</h2>" in page
    assert "what speaks for a cat" in page
    assert "not a medical device" in page
    with (tmp_path / "out.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 2  # every class of a model of one's own


def test_the_map_is_that_of_grad_cam(own, images):
    square = own.network.preprocessing.square(images[0])[None]
    with torch.inference_mode():
        answers = AnswerGraph(own).eval()(torch.from_numpy(square))
    expected = grad_cam(own.network, own.network.preprocessing.normalise(square), int(answers.top[0, 0]))[0]
    large = torch.nn.functional.interpolate(answers.maps[:, :1], expected.shape, mode="bilinear")[0, 0]
    assert np.corrcoef(large.numpy().ravel(), expected.ravel())[0, 1] > 0.9999


def test_several_findings_have_probabilities_of_their_own(network, tmp_path):
    weight = torch.zeros(3, network.n_features)
    mine = OwnClassifier(network, ["a", "b", "c"], weight, [0.0, 4.0, 4.0], multi_label=True, kind="film")
    mine.save(tmp_path / "findings.pt")
    (tmp_path / "films").mkdir()
    Image.new("L", (40, 50), 90).save(tmp_path / "films/1.png")
    predict_folder(tmp_path / "films", tmp_path / "out.csv", model=tmp_path / "findings.pt", top=None)
    with (tmp_path / "out.csv").open(encoding="utf-8") as stream:
        found = {row["name"]: float(row["probability"]) for row in csv.DictReader(stream)}
    assert found == pytest.approx({"a": 0.5, "b": 0.982, "c": 0.982}, abs=1e-3)


def test_weights_that_were_trained_are_in_the_file(network, tmp_path):
    changed = copy.deepcopy(network)
    with torch.no_grad():
        next(changed.trunk.parameters()).mul_(1.5)
    mine = OwnClassifier(changed, ["a", "b"], np.ones((1, 1280)), [0.0], own_weights=True)
    mine.save(tmp_path / "all.pt")
    again = load_classifier(tmp_path / "all.pt")
    assert again.network.weights_hash() == changed.weights_hash() != network.weights_hash()
    assert again.own_weights

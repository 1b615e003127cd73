"""A classifier as ONNX says what torch says, for one image and for several."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from k2c.datasets import sample_photograph
from k2c.errors import K2CError
from k2c.models import AnswerGraph, OwnClassifier, backbone, imagenet_classifier, on_grid
from k2c.own import export_onnx
from k2c.own.onnx_file import onnx_bytes, share_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def network():
    return backbone()


@pytest.fixture(scope="module")
def squares(network):
    images = (sample_photograph(name) for name in ("cat", "coffee", "temple"))
    return np.stack([network.preprocessing.square(image) for image in images])


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_file_says_what_torch_says(network, squares, tmp_path, multi_label):
    weight = torch.randn(3, network.n_features, generator=torch.Generator().manual_seed(0)) / 10
    own = OwnClassifier(network, ["a", "b", "ü"], weight, torch.zeros(3), multi_label=multi_label)
    export_onnx(own, tmp_path / "own.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "own.onnx")
    with torch.inference_mode():
        for images in (squares, squares[:1]):
            expected = AnswerGraph(own).eval()(torch.from_numpy(images))
            for name, values, wanted in zip(
                expected._fields, session.run(None, {"images": images}), expected, strict=True
            ):
                np.testing.assert_allclose(values, wanted, atol=1e-4, err_msg=name)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["a", "b", "ü"]
    assert "not a medical device" in about["not_for"]


def test_half_the_bytes_say_nearly_the_same(squares):
    own = imagenet_classifier("efficientnet_lite0")
    whole, short = onnx_bytes(own), onnx_bytes(own, short=True)
    assert len(short) < 0.52 * len(whole)
    answers = [
        onnxruntime.InferenceSession(content).run(["probabilities"], {"images": squares})[0]
        for content in (whole, short)
    ]
    np.testing.assert_allclose(*answers, atol=0.001)


def test_short_weights_are_as_exact_as_their_channel_allows(network):
    weight = np.random.default_rng(0).normal(size=(3, network.n_features)).astype(np.float32)
    weight *= [[1e-6], [0], [1e5]]  # float16 would make the first coarse and the last infinite
    content = onnx_bytes(OwnClassifier(network, ["a", "b", "c"], weight, [0.0] * 3), short=True)
    kept = {
        each.name: onnx.numpy_helper.to_array(each)
        for each in onnx.load_from_string(content).graph.initializer
    }
    name = next(name for name, values in kept.items() if values.dtype == np.int16 and len(values) == 3)
    found = kept[name] * kept[name.replace("_integers", "_scale")]
    largest = np.abs(weight).max(1, keepdims=True)
    assert (np.abs(found - weight) <= 0.501 * largest / 32767).all()


def test_weights_that_models_have_in_common_are_kept_once_for_those_that_need_them(
    network, squares, tmp_path
):
    part = on_grid(backbone())
    part.preprocessing = replace(part.preprocessing, size=64, resize=64)
    kept = {"one": (network, 0.1), "two": (network, -0.2), "part": (part, 0.3)}
    models = {
        name: onnx_bytes(OwnClassifier(trunk, ["a", "b"], np.full((1, trunk.n_features), value), [0.0]))
        for name, (trunk, value) in kept.items()
    }
    slim, shared = share_weights(models)
    sizes = {group: len(weights) for group, weights in shared.items()}
    assert list(sizes) == [("one", "two", "part"), ("one", "two")]
    in_all = sum(len(content) for content in slim.values()) + sum(sizes.values())
    assert in_all < 1.1 * len(models["one"])
    assert len(slim["part"]) + sizes["one", "two", "part"] < 1.1 * len(models["part"])
    for group, weights in shared.items():
        (tmp_path / "-".join(group)).write_bytes(weights)
    for name, whole in models.items():
        (tmp_path / f"{name}.onnx").write_bytes(slim[name])
        images = squares[:, :64, :64] if name == "part" else squares
        answers = [
            onnxruntime.InferenceSession(model).run(["logits"], {"images": images})[0]
            for model in (whole, tmp_path / f"{name}.onnx")
        ]
        np.testing.assert_array_equal(*answers)


def test_without_the_package_a_sentence_says_what_to_install(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    own = OwnClassifier(network, ["a", "b"], np.zeros((1, 1280)), np.zeros(1))
    with pytest.raises(K2CError, match=r"needs the package onnx. Install it with: .*\[export\]"):
        onnx_bytes(own)

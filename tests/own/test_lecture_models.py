"""Heads of the lectures' models, in the graph that pages compute: what speaks for a class is the logit's slope."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from k2c.course.results import measured
from k2c.models import AnswerGraph, LeNet, TransferModel, backbone, on_grid
from k2c.own.lecture_models import lenet_backbone, on_real_films, with_head
from k2c.own.onnx_file import onnx_bytes


def classifiers():
    torch.manual_seed(0)
    trunk = backbone()
    yield "hidden", with_head(trunk, ["without", "with"], TransferModel(trunk).head, kind="fundus")
    grid = on_grid(trunk)
    yield (
        "by place",
        with_head(grid, ["a", "b"], nn.Linear(grid.n_features, 2), kind="film", multi_label=True),
    )
    network, head = lenet_backbone(LeNet())
    yield "both", with_head(network, [str(n) for n in range(10)], head)


@pytest.mark.parametrize(("name", "own"), classifiers())
def test_a_map_is_the_slope_of_the_logit_times_what_is_there(name, own):
    side = own.network.preprocessing.size
    images = torch.randint(
        0, 256, (2, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    answers = AnswerGraph(own).eval()(images)
    maps = own.network.trunk(own.network.preprocessing.normalise(images)).detach().requires_grad_()
    logits = own.network.classifier(own.network.pool(maps))
    torch.testing.assert_close(answers.logits, logits, atol=1e-3, rtol=1e-3)
    (slope,) = torch.autograd.grad(logits[0, answers.top[0, 0]], maps)
    expected = (slope * maps).sum(dim=1)[0].relu()
    if name == "hidden":  # the mean over places divides by their number
        expected = expected * maps[0, 0].numel()
    torch.testing.assert_close(answers.maps[0, 0], expected, atol=2e-3, rtol=2e-3)


def test_ink_is_light_on_dark_paper_whichever_it_was():
    network, _ = lenet_backbone(LeNet())
    paper = torch.full((1, 28, 28, 3), 255, dtype=torch.uint8)
    paper[:, 8:20, 13:15] = 0
    inputs = network.preprocessing.normalise(torch.cat([paper, 255 - paper]))
    ink = network.trunk.ink(inputs)
    torch.testing.assert_close(ink[0], ink[1])
    assert ink[0, 0, 10, 13] > 2 > 0 > ink[0, 0, 0, 0]


def test_what_was_measured_on_real_films_is_said():
    fact = measured("real_films").query("`trained on` == 'synthetic films'").iloc[0]
    words = on_real_films()
    assert all(f"{fact[name]:.3f}" in words for name in ("macro AUC", "low", "high"))
    assert "near chance" in words and "400 films of ChestX-ray14" in words


@pytest.mark.parametrize(("name", "own"), list(classifiers())[1:])
def test_onnx_says_what_torch_says(name, own):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    side = own.network.preprocessing.size if name == "both" else 64
    own.network.preprocessing = replace(own.network.preprocessing, size=side, resize=side)
    images = torch.randint(
        0, 256, (2, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    with torch.inference_mode():
        expected = AnswerGraph(own).eval()(images)
    said = runtime.InferenceSession(onnx_bytes(own)).run(None, {"images": images.numpy()})
    for values, wanted in zip(said, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(values), wanted, atol=1e-4, rtol=1e-4)

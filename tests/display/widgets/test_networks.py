"""Widgets with a network or a kernel behind them."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from k2c import kernels
from k2c.datasets import load_mnist, to_inputs
from k2c.datasets.photographs import sample_photograph
from k2c.display.widgets.digits import DigitPad, rasterise, read_digit
from k2c.display.widgets.kernels import GroupStepper, touched, trace_tiles
from k2c.display.widgets.photographs import ImagePicker
from k2c.errors import K2CError
from k2c.models import LeNet
from k2c.models.backbones import backbone
from k2c.training import InMemoryLoader, fit

DEVICES = [device.name for device in kernels.devices() if device.found and device.name in ("opencl", "cuda")]


@pytest.fixture(scope="module")
def lenet():
    """A network that has learnt scikit-learn's digits, which come with it, for some seconds."""
    torch.manual_seed(0)
    train, network = load_mnist("digits").train, LeNet()
    fit(
        network, InMemoryLoader(to_inputs(train.images), train.labels, 50, shuffle=True), device="cpu", epochs=6,
        loss=nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9),
        channels_last=True,
    )  # fmt: skip
    return network


def test_strokes_become_a_image_like_those_of_mnist(strokes):
    for lines in strokes.values():
        image = rasterise(lines)
        rows, columns = np.nonzero(image > 40)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
        weights = image / image.sum()
        centre = np.arange(28) @ weights.sum(axis=1), np.arange(28) @ weights.sum(axis=0)
        assert centre == pytest.approx((13.5, 13.5), abs=0.3)
    moved = [[[3 + 50 * x, 100 + 50 * y] for x, y in stroke] for stroke in strokes["4"]]
    assert np.abs(rasterise(moved).astype(int) - rasterise(strokes["4"])).max() <= 3
    assert rasterise([[[0.5, 0.5]]]).max() > 200, "a dot stays a dot"
    assert rasterise([]).max() == rasterise([[]]).max() == 0


def test_at_least_nine_of_ten_digits_of_a_hand_are_read(lenet, strokes):
    answers = {digit: read_digit(lines, lenet) for digit, lines in strokes.items()}
    right = sum(int(digit) == answer.probabilities.argmax() for digit, answer in answers.items())
    assert right >= 9
    assert [maps.shape for maps in answers["3"].maps] == [(20, 24, 24), (50, 8, 8)]


def test_the_pad_hands_over_the_network_as_it_is(lenet, strokes):
    lenet.train()
    pad = DigitPad(lenet)
    assert "reads 3 " in pad.still()["text/plain"]
    assert "reads 0 " in pad.choose(strokes=strokes["0"]).still()["text/plain"]
    assert "The paper is empty" in pad.choose(strokes=[]).still()["text/plain"]
    assert lenet.training, "it is left as it was"
    kinds = [layer["kind"] for layer in pad.data["layers"]]
    assert kinds == ["conv", "tanh", "pool", "conv", "tanh", "pool", "flatten", "linear", "tanh", "linear"]
    weight = pad.data["layers"][0]["weight"]
    sent = np.frombuffer(base64.b64decode(weight["base64"]), "<f2").reshape(weight["shape"])
    assert sent == pytest.approx(lenet[0].weight.detach().numpy(), rel=1e-3, abs=1e-6)
    with pytest.raises(K2CError, match=r"computes Conv2d .* not Sigmoid"):
        DigitPad(nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Sigmoid()))


@pytest.mark.skipif(not DEVICES, reason="no device here runs kernels")
def test_a_work_group_is_followed_from_barrier_to_barrier():
    ops = kernels.open(DEVICES[0])
    trace = trace_tiles(ops, tile=4, side=8)
    assert (touched(trace, "a", (8, 8), 0)[:4, :4] == 2).all()
    assert (touched(trace, "tile_a", (4, 4), 0) == 3).all()
    assert (touched(trace, "tile_a", (4, 4), 1) == 2).all()
    assert (touched(trace, "a", (8, 8), 2)[:4] == np.repeat([[1] * 4 + [2] * 4], 4, axis=0)).all()
    stepper = GroupStepper(ops, side=8).choose(tile=2)
    assert "Over all steps it reads 32; without tiles it would read 64." in stepper.still()["text/plain"]
    assert "so far. Over all steps it reads 32" in stepper.choose(step=99).still()["text/plain"]
    assert (
        stepper.data["tiles"]["2"]["reads"]
        == [8, 0, 8, 0, 8, 0, 8, 0, 0][: stepper.data["tiles"]["2"]["steps"]]
    )


def test_a_device_without_kernels_is_named():
    with pytest.raises(K2CError, match="runs no kernels"):
        GroupStepper(kernels.open("numpy"))


def test_a_image_of_ones_own_is_read_and_explained():
    picker = ImagePicker(backbone("efficientnet_lite0"))
    (seen,) = picker.data["seen"].values()
    assert "cat" in seen["answers"][0][0]
    assert [len(seen["answers"]), len(seen["maps"])] == [5, 5]
    assert "answer number 2" in picker.choose(answer=2).still()["text/plain"]
    file = io.BytesIO()
    Image.fromarray(sample_photograph("coffee")).save(file, "JPEG")
    picker.asked = {"file": base64.b64encode(file.getvalue()).decode()}
    assert picker.data["seen"]["your own photograph"]["answers"][0][0] == "espresso"
    picker.asked = {"file": base64.b64encode(b"no").decode()}
    assert "not an image" in picker.error
    picker.asked = {"photograph": "rocket"}
    assert (picker.error, list(picker.data["seen"])) == ("", ["rocket"])

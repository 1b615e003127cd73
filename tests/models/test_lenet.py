"""LeNet is the network that the lecture draws, LeNet-5 that of the paper, and both learn."""

import pytest
import torch
from torch import nn

from k2c.datasets import load_mnist, to_inputs
from k2c.errors import K2CError
from k2c.models import LeNet, LeNet5, layer_table
from k2c.training import InMemoryLoader, fit, predict


def test_layers_parameters_and_multiply_adds():
    table = layer_table(LeNet(), (1, 28, 28))
    layers = "conv1 tanh1 pool1 conv2 tanh2 pool2 flatten linear1 tanh3 linear2"
    assert table.index.tolist() == layers.split()
    assert table.loc["pool1", "output_shape"] == (20, 12, 12)
    assert table.loc["pool2", "output_shape"] == (50, 4, 4)
    assert table.loc["conv1", "parameters"] == 20 * 25 + 20
    assert table.loc["conv2", "multiply_adds"] == 8 * 8 * 50 * 20 * 25
    assert table.loc["linear1", "multiply_adds"] == 800 * 500
    assert table["parameters"].sum() == sum(p.numel() for p in LeNet().parameters()) == 431_080


def test_computes_the_written_out_function():
    model, images = LeNet(n_classes=7), torch.randn(3, 1, 28, 28)
    functional = nn.functional
    x = functional.max_pool2d(torch.tanh(model.conv1(images)), 2)
    x = functional.max_pool2d(torch.tanh(model.conv2(x)), 2)
    expected = model.linear2(torch.tanh(model.linear1(x.flatten(1))))
    torch.testing.assert_close(model(images), expected)
    assert expected.shape == (3, 7)


def test_images_as_they_are_stored_are_refused_with_a_sentence():
    with pytest.raises(K2CError, match=r"images\.unsqueeze\(1\)"):
        LeNet()(torch.zeros(2, 28, 28, dtype=torch.uint8))


def test_a_shape_that_does_not_fit_is_a_sentence():
    with pytest.raises(K2CError, match="cannot read an input of shape"):
        layer_table(nn.Sequential(nn.Linear(4, 2)), (5,))


def test_has_the_parameters_of_the_paper():
    table = layer_table(LeNet5(), (1, 28, 28))
    trained = table["parameters"]
    layers = ["conv1", "pool2", "conv3", "pool4", "conv5", "linear6"]
    assert trained[layers].tolist() == [156, 12, 1516, 32, 48_120, 10_164]
    assert trained.drop("output").sum() == 60_000
    assert table["output_shape"][["pool2", "conv3", "pool4", "conv5"]].tolist() == [
        (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1)
    ]  # fmt: skip


def test_a_map_of_the_third_layer_reads_the_maps_that_the_paper_gives_it():
    layer = LeNet5().conv3
    maps = torch.zeros(1, 6, 14, 14, requires_grad=True)
    layer(maps)[0, 4].sum().backward()  # table 1, column 4: maps 0, 4 and 5
    read = maps.grad[0].abs().sum(dim=(1, 2)) > 0
    assert read.tolist() == [True, False, False, False, True, True]


def test_learns_digits():
    torch.manual_seed(0)
    train, test = load_mnist("digits")
    model = LeNet5()
    batches = InMemoryLoader(to_inputs(train.images), train.labels, 50, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=5, device="cpu")
    right = predict(model, to_inputs(test.images)).argmax(dim=1) == test.labels
    assert right.float().mean() > 0.85

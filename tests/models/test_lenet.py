"""LeNet is the network that the lecture draws, and the table says what each layer costs."""

import pytest
import torch
from torch import nn

from k2c.errors import K2CError
from k2c.models import LeNet, layer_table


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

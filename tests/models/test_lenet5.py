"""LeNet-5 has the parameters that the paper counts, and learns."""

import torch
from torch import nn

from k2c.datasets import load_mnist, to_inputs
from k2c.models import LeNet5, layer_table
from k2c.training import InMemoryLoader, fit, predict


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

"""LeNet on the kernels as a torch module: the same loop trains it, and the numbers are torch's."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels.build import SHAPES
from k2c.models import LeNet
from k2c.training import InMemoryLoader, fit, predict


@pytest.fixture(scope="module")
def torchs():
    torch.manual_seed(0)
    return LeNet()


def digits(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 10, (n,), generator=generator)
    images = 0.3 * torch.randn(n, 1, 28, 28, generator=generator)
    for image, target in zip(images, targets, strict=True):
        row, column = divmod(int(target), 4)
        image[0, 8 * row : 8 * row + 6, 7 * column : 7 * column + 6] += 1
    return images, targets


@pytest.mark.parametrize(
    ("n", "channels_last", "at"), [(1, False, 0), (7, True, 1), (2, False, 2), (3, False, 3)]
)
def test_logits_and_gradients_agree_with_torch_in_every_shape(ops, torchs, n, channels_last, at):
    shapes = SHAPES[ops.kind]["conv_block.cl"]
    ops = ops.shaped({"conv_block.cl": shapes[at % len(shapes)]})
    images, targets = digits(n)
    theirs = copy.deepcopy(torchs)
    expected = functional.cross_entropy(theirs(images), targets)
    expected.backward()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    mine = copy.deepcopy(torchs).to(memory_format=layout)
    loss = functional.cross_entropy(kernels.LeNetOnKernels(mine, ops)(images), targets)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, here), there in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        assert (here.grad - there.grad).norm() < 1e-4 * there.grad.norm(), name


def test_fit_trains_the_network_that_it_was_given(ops, torchs):
    images, targets = digits(96)
    losses = []
    trained = [copy.deepcopy(torchs), copy.deepcopy(torchs)]
    for model, network in zip([kernels.LeNetOnKernels(trained[0], ops), trained[1]], trained, strict=True):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
        batches = InMemoryLoader(images, targets, 40, shuffle=True)  # the last batch is smaller
        history = fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=4, device="cpu")
        losses.append(history["train_loss"])
    assert losses[0][-1] < losses[0][0] - 0.1  # it did learn
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert (predict(trained[0], images) - predict(trained[1], images)).abs().max() < 0.02


def test_a_step_needs_the_activations_of_its_own_batch(ops, torchs):
    network = kernels.LeNetOnKernels(copy.deepcopy(torchs), ops)
    first, _ = network(digits(3)[0]), network(digits(3, seed=1)[0])
    with pytest.raises(K2CError, match=r"Call backward\(\) before the next batch"):
        first.sum().backward()


def test_a_reference_and_other_images_are_refused(ops, torchs):
    with pytest.raises(K2CError, match="numpy is a reference and runs no kernels"):
        kernels.LeNetOnKernels(torchs, kernels.open("numpy"))
    with pytest.raises(K2CError, match=r"of shape \(N, 1, 28, 28\)"):
        kernels.LeNetOnKernels(torchs, ops)(torch.zeros(2, 28, 28))

"""LeNet on the kernels does what torch's LeNet does."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from k2c import kernels
from k2c.errors import K2CError
from k2c.models.lenet import LeNet


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LeNet()


def batch(n, seed=0):
    """Images in which the class can be seen: a bright square that moves with it."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 10, (n,), generator=generator, dtype=torch.int32)
    images = 0.3 * torch.randn(n, 1, 28, 28, generator=generator)
    for image, target in zip(images, targets, strict=True):
        row, column = divmod(int(target), 4)
        image[0, 8 * row : 8 * row + 6, 7 * column : 7 * column + 6] += 1
    return images, targets


@pytest.mark.parametrize("variant", ["tuned", "textbook"])
def test_forward_agrees_with_torch(any_ops, model, variant):
    images, _ = batch(7)
    params = kernels.put_parameters(any_ops, model)
    logits = any_ops.get(kernels.lenet_forward(any_ops, params, any_ops.put(images), variant))
    with torch.no_grad():
        assert np.abs(logits - model(images).numpy()).max() < 1e-5


@pytest.mark.parametrize("variant", ["tuned", "textbook"])
def test_gradients_agree_with_torch(any_ops, model, variant):
    images, targets = batch(9)
    loss = functional.cross_entropy(model(images), targets.long())
    loss.backward()
    params = kernels.put_parameters(any_ops, model)
    x, y = any_ops.put(images), any_ops.put(targets)
    losses, gradients = kernels.lenet_gradients(any_ops, params, x, y, variant)
    assert any_ops.get(losses).mean() == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        expected = parameter.grad.numpy()
        difference = np.linalg.norm(any_ops.get(gradients[name]) - expected)
        assert difference < 1e-4 * np.linalg.norm(expected), name


def test_200_steps_follow_torch(ops, model):
    settings = {"momentum": 0.9, "weight_decay": 1e-4}
    batches = [batch(16, seed=step) for step in range(200)]
    params = kernels.put_parameters(ops, model)
    velocity = kernels.zero_velocity(ops, params)
    ours = []
    for images, targets in batches:
        x, y = ops.put(images), ops.put(targets)
        losses = kernels.lenet_training_step(ops, params, velocity, x, y, 0.01, **settings)
        ours.append(ops.get(losses).mean())

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, **settings)
    torchs = []
    for images, targets in batches:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), targets.long())
        loss.backward()
        optimizer.step()
        torchs.append(loss.item())
    assert torchs[0] > 2 and np.mean(torchs[-20:]) < 0.1  # it did learn
    assert np.abs(np.array(ours) - np.array(torchs)).max() < 1e-3


def test_other_parameters_are_refused(any_ops):
    with pytest.raises(K2CError, match=r"LeNet has the parameters conv1\.weight"):
        kernels.put_parameters(any_ops, torch.nn.Linear(3, 2))

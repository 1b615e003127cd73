"""The search for a learning rate: where the loss falls, and what stays as it was."""

import pytest
import torch
from torch import nn

from k2c.errors import K2CError
from k2c.training import InMemoryLoader, find_learning_rate


@pytest.fixture
def batches():
    """A straight line with noise, in batches."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 3, generator=generator)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.01 * torch.randn(64, 1, generator=generator)
    return InMemoryLoader(inputs, targets, 16, shuffle=True)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_the_suggested_rate_trains_and_ten_times_the_last_one_does_not(model, batches):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = find_learning_rate(model, batches, nn.functional.mse_loss, torch.optim.SGD, low=1e-5, high=100)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert found.rates[0] == pytest.approx(1e-5)
    assert len(found.rates) == len(found.losses) < 100  # it ended when the loss rose
    # For plain gradient descent on a quadratic cost, more than 2 / (largest curvature) diverges: here about 1.
    assert 1e-3 < found.suggestion < 0.5


def test_what_cannot_be_searched_is_a_sentence(model, batches):
    with pytest.raises(K2CError, match="0 < low < high"):
        find_learning_rate(model, batches, nn.functional.mse_loss, low=1, high=0.1)
    with pytest.raises(K2CError, match="ended at its first steps"):
        find_learning_rate(model, [], nn.functional.mse_loss)

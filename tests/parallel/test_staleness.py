"""Stale gradients in one process: no delay is SGD, a delay is what it says, and the stable rate falls as 1 / delay."""

import pytest
import torch
from torch import nn

from k2c.errors import K2CError
from k2c.parallel import largest_stable_rate, train_stale


def line(start: float = 1.0) -> nn.Module:
    """A model of one weight whose loss is w^2 / 2 when asked for half a square of its output."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, start)
    return model


ONE = torch.ones(1, 1, dtype=torch.float64)


def half_square(output, target):
    return (output**2).mean() / 2


def test_without_delay_it_is_sgd():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    batches = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(20)]
    train_stale(ours, batches, nn.functional.cross_entropy, 0.1, delay=0)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for inputs, targets in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(inputs), targets).backward()
        optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-7)


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_each_gradient_is_that_of_so_many_steps_ago(delay):
    model, rate, weights = line(), 0.1, [1.0]
    train_stale(model, [(ONE, ONE)] * 12, half_square, rate, delay)
    for step in range(12):
        weights.append(weights[-1] - (rate * weights[step - delay] if step >= delay else 0))
    assert model.weight.item() == pytest.approx(weights[-1])


@pytest.mark.parametrize("delay", [0, 1, 2, 4, 8, 16])
def test_above_the_stable_rate_it_diverges_and_below_it_arrives(delay):
    limit = largest_stable_rate(1.0, delay)
    for factor, arrives in ((0.9, True), (1.1, False)):
        losses = train_stale(line(), [(ONE, ONE)] * 3000, half_square, factor * limit, delay)
        assert (losses[-1] < 1e-3) == arrives


def test_the_stable_rate_is_2_without_delay_and_falls_as_one_over_the_delay():
    assert largest_stable_rate(1.0, 0) == pytest.approx(2)
    assert largest_stable_rate(4.0, 1) == pytest.approx(1 / 4)
    assert largest_stable_rate(1.0, 100) * 100 == pytest.approx(torch.pi / 2, rel=0.01)


def test_a_gradient_cannot_come_from_the_future():
    with pytest.raises(K2CError, match="0 or more steps late"):
        train_stale(line(), [], half_square, 0.1, -1)

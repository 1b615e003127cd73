"""Batches from memory: the same examples as a DataLoader's, in an order that depends on (seed, epoch) alone."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from k2c.errors import K2CError
from k2c.training import InMemoryLoader, fit


def numbers(loader):
    return [inputs.tolist() for inputs, _ in loader]


@pytest.fixture
def ten():
    return torch.arange(10), torch.arange(10)


def test_gives_what_a_data_loader_gives(blobs):
    ours, usual = InMemoryLoader(*blobs, batch_size=32), DataLoader(TensorDataset(*blobs), batch_size=32)
    assert len(ours) == len(usual)
    for one, other in zip(ours, usual, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_trains_to_the_same_weights_as_a_data_loader(blobs, same_weights):
    models = []
    for batches in (InMemoryLoader(*blobs, batch_size=32), DataLoader(TensorDataset(*blobs), batch_size=32)):
        torch.manual_seed(0)
        models.append(nn.Linear(8, 3))
        optimizer = torch.optim.SGD(models[-1].parameters(), lr=0.1)
        fit(models[-1], batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=3, device="cpu")
    assert same_weights(*models)


def test_order_depends_on_seed_and_epoch_only(ten):
    loader = InMemoryLoader(*ten, batch_size=4, shuffle=True, seed=1)
    first, second = numbers(loader), numbers(loader)
    torch.rand(7)
    loader.set_epoch(0)
    assert numbers(loader) == first != second
    assert sorted(number for batch in first for number in batch) == list(range(10))
    assert numbers(InMemoryLoader(*ten, batch_size=4, shuffle=True, seed=2)) != first


def test_last_batch_transform_and_targets(ten):
    loader = InMemoryLoader(*ten, batch_size=4, shuffle=True, transform=lambda x: x * 10)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert all(torch.equal(inputs, targets * 10) for inputs, targets in batches)
    assert [len(targets) for _, targets in InMemoryLoader(*ten, batch_size=4)] == [4, 4, 2]


def test_wrong_arguments_are_sentences(ten):
    with pytest.raises(K2CError, match="10 inputs and 9 targets"):
        InMemoryLoader(ten[0], ten[1][:9], batch_size=2)
    with pytest.raises(K2CError, match="must be 1 or more"):
        InMemoryLoader(*ten, batch_size=0)

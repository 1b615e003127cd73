"""Batches from memory: a DataLoader's examples, or as many of each class, by (seed, epoch) alone."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from k2c.errors import K2CError
from k2c.training import BalancedLoader, Checkpoint, InMemoryLoader, fit


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


LABELS = torch.tensor([0] * 190 + [1] * 10)
NUMBERS = torch.arange(200)


def epoch(loader):
    batches = list(loader)
    return torch.cat([inputs for inputs, _ in batches]), torch.cat([targets for _, targets in batches])


def test_an_epoch_has_equally_many_of_each_class_and_its_usual_length():
    loader = BalancedLoader(NUMBERS, LABELS, batch_size=32)
    numbers, targets = epoch(loader)
    assert len(loader) == 7 and len(numbers) == 200
    assert targets.bincount().tolist() == [100, 100]
    assert torch.equal(LABELS[numbers], targets)
    # No example again before its whole class had its turn.
    times = Counter(numbers.tolist())
    assert {times[number] for number in range(190, 200)} == {10}
    assert max(times[number] for number in range(190)) == 1


def test_a_large_class_is_drawn_anew_every_epoch_and_a_small_one_takes_part_as_a_whole():
    loader = BalancedLoader(NUMBERS, LABELS, batch_size=32)
    drawn = [epoch(loader)[0].tolist() for _ in range(30)]
    negatives = [frozenset(number for number in numbers if number < 190) for numbers in drawn]
    assert {len(part) for part in negatives} == {100} and len(set(negatives)) > 10
    assert all(set(range(190, 200)) < set(numbers) for numbers in drawn)


def test_the_draw_depends_on_seed_and_epoch_alone():
    loader = BalancedLoader(NUMBERS, LABELS, batch_size=32, seed=3)
    first, second = epoch(loader)[0], epoch(loader)[0]
    torch.rand(5)
    loader.set_epoch(1)
    assert torch.equal(epoch(loader)[0], second)
    assert not torch.equal(first, second)
    other = BalancedLoader(NUMBERS, LABELS, batch_size=32, seed=4)
    assert not torch.equal(epoch(other)[0], first)


def test_a_resumed_run_sees_what_it_would_have_seen(tmp_path, same_weights):
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))

    def run(epochs, folder, **options):
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loader = BalancedLoader(inputs, LABELS, batch_size=16, transform=nn.Dropout(0.1))
        callbacks = [Checkpoint(folder, monitor="train_loss")]
        fit(model, loader, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs, device="cpu",
            callbacks=callbacks, **options)  # fmt: skip
        return model

    whole = run(4, tmp_path / "whole")
    run(2, tmp_path / "cut")
    assert same_weights(whole, run(4, tmp_path / "cut", resume_from=tmp_path / "cut"))


def test_a_class_without_examples_is_a_sentence():
    with pytest.raises(K2CError, match="no example of class 1"):
        BalancedLoader(torch.zeros(5), torch.zeros(5, dtype=torch.int64), batch_size=2)

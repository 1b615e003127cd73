"""Balanced epochs: as many positive as negative examples, others every time, and the same ones after a resume."""

from collections import Counter

import pytest
import torch
from torch import nn

from k2c.errors import K2CError
from k2c.training import BalancedLoader, Checkpoint, fit

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

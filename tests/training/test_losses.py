"""A loss and a metric in which a rare class counts."""

import pytest
import torch
from torch.nn import functional

from k2c.errors import K2CError
from k2c.metrics import class_cross_entropy
from k2c.training import WeightedSoftmax, class_weights, evaluate, fit

RARE = torch.tensor([0] * 95 + [1] * 5)


def test_balanced_weights_give_every_class_the_same_say():
    weights = class_weights(RARE)
    assert weights.tolist() == pytest.approx([100 / 190, 10.0])
    assert weights[RARE].mean() == pytest.approx(1.0)
    # Knowing nothing costs the same in both classes, and log 2 on average.
    logits = torch.zeros(100, 2)
    loss = WeightedSoftmax(weights)
    assert loss(logits, RARE) == pytest.approx(0.6931, abs=1e-4)
    assert 95 * loss(logits[:95], RARE[:95]) == pytest.approx((5 * loss(logits[95:], RARE[95:])).item())


def test_without_weights_it_is_the_plain_loss():
    logits, targets = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3
    assert torch.allclose(
        WeightedSoftmax([1, 1, 1])(logits, targets), functional.cross_entropy(logits, targets)
    )


def test_a_batch_of_one_class_keeps_its_weight():
    logits, targets = torch.zeros(8, 2), torch.ones(8, dtype=torch.int64)
    assert WeightedSoftmax([1.0, 10.0])(logits, targets) == pytest.approx(6.931, abs=1e-3)


def test_weights_turn_a_model_that_calls_everybody_negative(blobs):
    inputs = torch.cat([torch.zeros(95, 1), torch.ones(5, 1)]) + 0.6 * torch.randn(
        100, 1, generator=torch.Generator().manual_seed(0)
    )
    found = {}
    for name, weights in (("plain", [1.0, 1.0]), ("weighted", class_weights(RARE))):
        torch.manual_seed(0)
        model = torch.nn.Linear(1, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        loss = WeightedSoftmax(weights)
        fit(model, [(inputs, RARE)], loss=loss, optimizer=optimizer, epochs=300, device="cpu")
        found[name] = (model(inputs).argmax(dim=1)[RARE == 1] == 1).float().mean().item()
    assert found["weighted"] >= found["plain"] + 0.4


def test_the_metric_averages_over_classes_not_over_examples():
    logits = torch.zeros(100, 2)
    logits[:95, 0] = 5.0  # sure of the negatives, no idea of the positives
    batches = [(logits[:50], RARE[:50]), (logits[50:], RARE[50:])]
    identity = torch.nn.Identity()
    metrics = {
        "mean": class_cross_entropy(2),
        "each": class_cross_entropy(2, each=True),
        "positive": class_cross_entropy(2, weights=[0, 1]),
    }
    measured = evaluate(identity, batches, metrics)
    negative, positive = measured["each"]
    assert negative == pytest.approx(0.00672, abs=1e-5) and positive == pytest.approx(0.6931, abs=1e-4)
    assert measured["mean"] == pytest.approx((negative + positive) / 2)
    assert measured["positive"] == pytest.approx(positive)


def test_a_class_without_examples_does_not_spoil_the_mean():
    measured = evaluate(torch.nn.Identity(), [(torch.zeros(3, 2), RARE[:3])], {"m": class_cross_entropy(2)})
    assert measured["m"] == pytest.approx(0.6931, abs=1e-4)


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda: class_weights(torch.zeros(9, dtype=torch.int64)), "no example of class 1"),
        (lambda: class_weights(torch.tensor([0, 1, 3])), "no example of class 2"),
        (lambda: class_weights(torch.tensor([0.0, 1.0])), "whole numbers"),
        (lambda: WeightedSoftmax([1.0, 0.0]), "one positive number per class"),
        (lambda: WeightedSoftmax([1.0, 1.0, 1.0])(torch.zeros(4, 2), RARE[:4]), "2 logits and there are 3"),
    ],
)
def test_wrong_arguments_are_sentences(attempt, sentence):
    with pytest.raises(K2CError, match=sentence):
        attempt()

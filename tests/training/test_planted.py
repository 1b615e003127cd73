"""A planted mistake shows in the curves, for every seed, as the exercise says."""

import numpy as np
import pytest

from k2c.errors import K2CError
from k2c.training import PLANTED, planted_curves

LOWEST = np.log(1 + 9 / np.e)  # of the cross-entropy of ten classes when the logits are probabilities


@pytest.mark.parametrize("seed", range(3))
def test_each_mistake_leaves_its_own_trace(seed):
    for mistake in PLANTED:
        train_loss, valid_loss, valid_again = planted_curves(mistake, seed)
        assert (valid_loss == valid_again).all() == (mistake != "evaluated in training mode")
        assert (train_loss[-1] > train_loss[0]) == (mistake == "no zero_grad")
        if mistake != "no zero_grad":
            assert (train_loss.min() >= LOWEST) == (mistake == "softmax twice")


def test_the_same_seed_gives_the_same_curves():
    first, second = planted_curves("right", 5, epochs=2), planted_curves("right", 5, epochs=2)
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_an_unknown_mistake_is_a_sentence():
    with pytest.raises(K2CError, match="There is no mistake 'softmax thrice'"):
        planted_curves("softmax thrice")

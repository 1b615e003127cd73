"""Classifiers are compared on the same splits, and the interval knows that splits overlap."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from k2c.errors import K2CError
from k2c.metrics import accuracy_by_size, difference_by_size
from k2c.models import NaiveBayes


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2 == 1
    return rng.poisson(np.where(labels[:, None], 2.0, 1.0), size=(200, 10)), labels


def test_more_examples_help_and_the_same_seed_gives_the_same_table(examples):
    learners = {"counts": NaiveBayes(), "descends": LogisticRegression()}
    table = accuracy_by_size(learners, *examples, sizes=[10, 140], repeats=5, seed=3)
    assert list(table.columns) == ["repeat", "examples", "counts", "descends"]
    means = table.groupby("examples")["counts"].mean()
    assert means[140] > means[10]
    pd.testing.assert_frame_equal(table, accuracy_by_size(learners, *examples, [10, 140], repeats=5, seed=3))


def test_a_learner_against_itself_differs_by_nothing(examples):
    table = accuracy_by_size({"a": NaiveBayes(), "b": NaiveBayes()}, *examples, sizes=[50], repeats=3)
    assert difference_by_size(table, "a", "b").loc[50].tolist() == [0, 0, 0]


def test_the_interval_is_that_of_nadeau_and_bengio():
    table = pd.DataFrame({"examples": [50, 50, 50], "a": [0.8, 0.9, 1.0], "b": [0.7, 0.7, 0.7]})
    row = difference_by_size(table, "a", "b", test_fraction=0.5).loc[50]
    half = 4.302653 * 0.1 * np.sqrt(1 / 3 + 1)  # the 97.5% point of Student's t with 2 degrees of freedom
    assert row.tolist() == pytest.approx([0.2, 0.2 - half, 0.2 + half])


def test_a_size_that_leaves_no_test_set_is_refused(examples):
    with pytest.raises(K2CError, match="190 training examples are too many: of 200, at most 140"):
        accuracy_by_size({"a": NaiveBayes()}, *examples, sizes=[190])

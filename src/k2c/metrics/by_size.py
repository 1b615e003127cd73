"""Classifiers against the number of training examples, on the same splits, with paired differences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from k2c.errors import K2CError

if TYPE_CHECKING:
    import pandas


def accuracy_by_size(
    learners: Mapping[str, Any],
    inputs: Any,
    labels: Any,
    sizes: Sequence[int],
    repeats: int = 10,
    test_fraction: float = 0.3,
    seed: int = 0,
) -> "pandas.DataFrame":
    """Measure classifiers trained on more and more examples; every one sees the same examples.

    Each repeat splits the examples anew, at random and with the same fraction of each class in both parts. A smaller
    training set is a part of the larger one.

    Parameters
    ----------
    learners
        Classifiers with scikit-learn's `fit` and `predict`, by name.
    inputs : sparse matrix or array of shape (N, features)
    labels : array of shape (N,)
    sizes
        Numbers of training examples, each at most what the test set leaves.
    repeats
        Random splits.
    test_fraction
        Fraction of the examples that is held back in each split.
    seed
        Of the splits.

    Returns
    -------
    DataFrame
        One row per repeat and size: `repeat`, `examples`, and the test accuracy under each learner's name.

    Raises
    ------
    K2CError
        When a size is too large.
    """
    import pandas as pd  # not at the top: a machine that only trains has neither of the two
    from sklearn.model_selection import train_test_split

    labels, rows = np.asarray(labels), []
    largest = len(labels) - int(np.ceil(test_fraction * len(labels)))
    if max(sizes) > largest:
        raise K2CError(
            f"{max(sizes):,} training examples are too many: of {len(labels):,}, at most {largest:,} remain beside the "
            "test set. Pass smaller sizes."
        )
    for repeat in range(repeats):
        order, test = train_test_split(
            np.arange(len(labels)), test_size=test_fraction, random_state=seed + repeat, stratify=labels
        )
        for size in sizes:
            part = order[:size]
            if len(np.unique(labels[part])) < 2:
                continue  # a few examples may all be of one class: nothing to learn
            right = {
                name: np.mean(learner.fit(inputs[part], labels[part]).predict(inputs[test]) == labels[test])
                for name, learner in learners.items()
            }
            rows.append({"repeat": repeat, "examples": size, **right})
    return pd.DataFrame(rows)


def difference_by_size(
    table: "pandas.DataFrame", first: str, second: str, test_fraction: float = 0.3
) -> "pandas.DataFrame":
    """Return how far the first learner is ahead of the second at each size, with a 95% interval.

    The splits overlap, so they are not independent, and the standard error over repeats is too small. The interval
    has the correction of Nadeau and Bengio: the variance of the mean of J splits is (1 / J + test / train) times
    that of a split, with test / train the ratio of the two parts of a split.

    Parameters
    ----------
    table
        What `accuracy_by_size` returns.
    first, second
        Names of two learners.
    test_fraction
        As it was given to `accuracy_by_size`.

    Returns
    -------
    DataFrame
        One row per size, indexed by `examples`: `difference` (accuracy of the first minus that of the second), `low`
        and `high`.

    References
    ----------
    Nadeau, Bengio: Inference for the generalization error (Machine Learning, 2003).
    """
    import pandas as pd
    from scipy.stats import t

    groups = (table[first] - table[second]).groupby(table["examples"])
    mean, spread, repeats = groups.mean(), groups.std(), groups.count()
    half = t.ppf(0.975, repeats - 1) * spread * np.sqrt(1 / repeats + test_fraction / (1 - test_fraction))
    return pd.DataFrame({"difference": mean, "low": mean - half, "high": mean + half})

"""Split images into parts that share no patient."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from k2c.datasets.labelled import LabelledImages
from k2c.errors import K2CError


def split_by_patient(
    data: LabelledImages, test_fraction: float = 0.3, seed: int = 0
) -> tuple[LabelledImages, LabelledImages]:
    """Return a training and a test part: no patient in both, each class shared out in the same proportion.

    Of many random splits of the patients the one is taken whose parts come closest to `test_fraction` of the
    images of every class.

    Parameters
    ----------
    data
        Where an image has several findings, the rarer ones weigh as much as the common ones.
    test_fraction
        Fraction of the images in the test part, between 0 and 1.
    seed
        Another one gives another split.

    Raises
    ------
    K2CError
        When `test_fraction` is out of range, or no split gives both parts a patient of each class.
    """
    if not 0 < test_fraction < 1:
        raise K2CError(f"test_fraction={test_fraction} must lie between 0 and 1, such as 0.3.")
    patients, of_row = np.unique(data.patients, return_inverse=True)
    if len(patients) < 2:
        raise K2CError(f"{data!r} cannot be split by patient: that takes two patients or more.")
    counts = _counts_by_patient(data, of_row, len(patients))
    _check_every_class(data, counts, 2, "both parts")
    in_test = _best_of_random(counts, test_fraction, np.random.default_rng(seed))
    rows = in_test[of_row]
    train, test = data.subset(np.flatnonzero(~rows)), data.subset(np.flatnonzero(rows))
    if not data.multi_label and set(train.labels) != set(test.labels):
        raise K2CError(
            f"{data!r} has too few patients to put each class into both parts with test_fraction={test_fraction}."
        )
    return train, test


def folds_by_patient(
    data: LabelledImages, n: int = 5, seed: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield `(training rows, test rows)` of n folds; each image is in one test part, and no patient in two.

    Parameters
    ----------
    data
        Where an image has several findings, the rarest decides.
    n
        Number of folds, 2 or more.
    seed
        Another one gives other folds.

    Raises
    ------
    K2CError
        When there are fewer than `n` patients, or fewer with one of the labels.
    """
    # Not at the top: scikit-learn takes a second to import, and loading data does not need it.
    from sklearn.model_selection import StratifiedGroupKFold

    if n < 2:
        raise K2CError(f"n={n} must be 2 or more.")
    patients, of_row = np.unique(data.patients, return_inverse=True)
    if len(patients) < n:
        raise K2CError(f"{data!r} has too few patients for {n} folds.")
    _check_every_class(data, _counts_by_patient(data, of_row, len(patients)), n, f"each of {n} folds")
    folds = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return folds.split(np.zeros(len(data)), _strata(data, n), data.patients)


def _strata(data: LabelledImages, least: int) -> NDArray[np.int64]:
    """Return what folds distribute evenly: the label, or of several findings the rarest that an image has."""
    if not data.multi_label:
        return data.labels
    found = data.labels == 1
    number = found.sum(axis=0)
    rarest = np.where(found, number, np.iinfo(np.int64).max).argmin(axis=1)
    strata = np.where(found.any(axis=1), rarest, len(data.classes))
    too_few = np.flatnonzero(np.bincount(strata, minlength=len(data.classes) + 1) < least)
    return np.where(np.isin(strata, too_few), len(data.classes), strata)


def _counts_by_patient(data: LabelledImages, of_row: NDArray[np.intp], patients: int) -> NDArray[np.float64]:
    """Return the number of each patient's images by class, and in the last column of all: (P, classes + 1)."""
    member = data.labels == 1 if data.multi_label else data.labels[:, None] == np.arange(len(data.classes))
    by_class = np.column_stack([member, np.ones(len(data))]).astype(np.float64)
    counts = np.zeros((patients, by_class.shape[1]))
    np.add.at(counts, of_row, by_class)
    return counts


def _check_every_class(data: LabelledImages, counts: NDArray[np.float64], needed: int, where: str) -> None:
    if data.multi_label:  # a finding of a single patient must not forbid the split
        return
    having = (counts[:, :-1] > 0).sum(axis=0)
    for name, patients in zip(data.classes, having, strict=True):
        if 0 < patients < needed:
            raise K2CError(
                f"{data!r} has only {patients} patient{'s' if patients > 1 else ''} with '{name}', too few to "
                f"have one in {where}."
            )


def _best_of_random(
    counts: NDArray[np.float64], fraction: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which patients go to the test part, bool (P,): the evenest of up to 200 random choices."""
    patients, total = len(counts), counts.sum(axis=0)
    tries = min(200, 10 + 4_000_000 // patients)
    order = random.random((tries, patients)).argsort(axis=1)
    # Each test part takes patient after patient while it has fewer images than it should have.
    taken = (counts[order, -1].cumsum(axis=1) < fraction * total[-1]).sum(axis=1) + 1
    rank = order.argsort(axis=1)
    chosen = rank < np.clip(taken, 1, patients - 1)[:, None]
    parts = chosen @ counts[:, total > 0] / total[total > 0]
    # A class that is missing on one side is worse than any unevenness.
    badness = np.abs(parts - fraction).sum(axis=1) + 1000 * ((parts == 0) | (parts == 1)).sum(axis=1)
    return chosen[badness.argmin()]

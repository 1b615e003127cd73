"""How good is a test that looks for a rare disease? Measures, thresholds and their uncertainty.

Throughout, `scores` are probabilities (or any numbers) that rise with the suspicion of disease, shape (N,), and
`labels` are 1 for positives (with the disease) and 0 for negatives, shape (N,). The test raises an alarm where the
score is at least the threshold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from k2c.errors import K2CError
from k2c.training.losses import as_array

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    "accuracy", "cross-entropy, negatives", "cross-entropy, positives", "sensitivity", "specificity",
    "ROC AUC", "AUC, low", "AUC, high",
)  # fmt: skip


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and what it does to the examples that it was measured on.

    Attributes
    ----------
    threshold
        The test raises an alarm where the score is at least this.
    sensitivity
        The fraction of the positives that raise an alarm.
    specificity
        The fraction of the negatives that raise none.
    """

    threshold: float
    sensitivity: float
    specificity: float


def at_threshold(scores: Any, labels: Any, threshold: float = 0.5) -> OperatingPoint:
    """Return what a threshold does: its sensitivity and its specificity."""
    scores, positive = _check(scores, labels)
    alarm = scores >= threshold
    return OperatingPoint(float(threshold), float(alarm[positive].mean()), float((~alarm[~positive]).mean()))


def operating_point(
    scores: Any, labels: Any, *, specificity: float | None = None, sensitivity: float | None = None
) -> OperatingPoint:
    """Return the best threshold that reaches a wanted specificity, or a wanted sensitivity.

    Parameters
    ----------
    scores, labels
        Of examples that the threshold may be chosen by: not of those that measure it afterwards.
    specificity, sensitivity
        One of them: what must be reached. Among the thresholds that do, the one with the most of the other is
        taken.

    Raises
    ------
    K2CError
        When both or none is given, or it is not a fraction.
    """
    wanted = [value for value in (specificity, sensitivity) if value is not None]
    if len(wanted) != 1 or not 0 <= wanted[0] <= 1:
        raise K2CError(
            "Say what the threshold must reach: specificity=0.9 or sensitivity=0.9, a fraction from 0 to 1."
        )
    scores, positive = _check(scores, labels)
    # Every score is a possible threshold, and one above all of them, which raises no alarm.
    thresholds = np.append(np.unique(scores), np.nextafter(scores.max(), np.inf))
    found = 1 - np.searchsorted(np.sort(scores[positive]), thresholds) / positive.sum()
    spared = np.searchsorted(np.sort(scores[~positive]), thresholds) / (~positive).sum()
    reached, gained = (spared, found) if sensitivity is None else (found, spared)
    best = np.flatnonzero(reached >= wanted[0] - 1e-12)
    chosen = best[np.lexsort((reached[best], gained[best]))[-1]]
    return at_threshold(scores, positive, thresholds[chosen])


def roc_auc(scores: Any, labels: Any) -> float:
    """Return the area under the ROC curve: how often a positive scores higher than a negative (ties count half)."""
    scores, positive = _check(scores, labels)
    return float(auc_of_counts(scores[None], positive, np.ones((1, len(scores)), int)).item())


def auc_of_counts(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the ROC AUC of each row of scores (R, N) in each resample, which has example n `counts[s, n]` times.

    Mann and Whitney's U, float64 (S, R), exact: its sums are of halves. The scores are sorted once for all resamples.
    It checks nothing.
    """
    found = counts[:, positive].sum(axis=1)
    pairs = found * (counts.sum(axis=1) - found)
    above = np.empty((len(counts), len(scores)))
    for row, of_row in enumerate(scores):
        order = np.argsort(of_row)
        ordered = of_row[order]
        ties = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))  # where another score begins
        truth, drawn = positive[order], counts[:, order]
        positives, negatives = (np.add.reduceat(drawn * of, ties, axis=1) for of in (truth, ~truth))
        above[:, row] = (positives * (negatives.cumsum(axis=1) - negatives / 2)).sum(axis=1)
    return above / pairs[:, None]


def counts_of(drawn: Iterable[np.ndarray], n: int) -> np.ndarray:
    """Return how often each of n rows was drawn in each resample, int64 (S, N)."""
    return np.array([np.bincount(rows, minlength=n) for rows in drawn]).reshape(-1, n)


def rows_of_groups(groups: np.ndarray) -> list[np.ndarray]:
    """Return the row numbers of each group, such as a patient, of (N,)."""
    of_row = np.unique(groups, return_inverse=True)[1]
    return [np.flatnonzero(of_row == number) for number in range(of_row.max() + 1)]


def draw_groups(rows: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Return the rows of as many groups as there are, drawn with replacement."""
    return np.concatenate([rows[number] for number in generator.integers(len(rows), size=len(rows))])


def bootstrap_auc(
    scores: Any, labels: Any, samples: int = 1000, seed: int = 0, patients: Any = None
) -> np.ndarray:
    """Return the ROC AUC of `samples` resamples of the examples, float64 (samples,).

    Positives and negatives are resampled separately, so every resample has as many of each as the data (Efron and
    Tibshirani, 1993, section 8.3). Equal seeds and labels give equal resamples: subtract two results to compare
    two models on the same people.

    With `patients`, (N,), the names of whom the examples belong to, whole patients are resampled instead: two eyes
    of one patient tell less than the eyes of two.
    """
    scores, positive = _check(scores, labels)
    generator = np.random.default_rng(seed)
    if patients is not None:
        return _auc_of_patients(scores, positive, as_array(patients), samples, generator)
    drawn = []
    for members in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        drawn.append(members[generator.integers(len(members), size=(samples, len(members)))])
    counts = counts_of(np.concatenate(drawn, axis=1), len(scores))
    return auc_of_counts(scores[None], positive, counts)[:, 0]


def auc_interval(
    scores: Any,
    labels: Any,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    patients: Any = None,
) -> tuple[float, float]:
    """Return the percentile interval of `bootstrap_auc`: (low, high)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(bootstrap_auc(scores, labels, samples, seed, patients), [tail, 1 - tail])
    return float(low), float(high)


def screening_row(probabilities: Any, labels: Any, threshold: float = 0.5, seed: int = 0) -> dict[str, float]:
    """Return one row of the table that every stage of a screening project is measured by.

    Parameters
    ----------
    probabilities
        Of disease, (N,).
    labels
        1 for positives, 0 for negatives, (N,).
    threshold
        Positive is a probability of at least this.
    seed
        Of the bootstrap.

    Returns
    -------
    dict
        `COLUMNS`: accuracy, the mean `-log p` of the negatives and of the positives, sensitivity, specificity, and the
        ROC AUC with its 95% interval.
    """
    scores, positive = _check(probabilities, labels)
    if scores.min() < 0 or scores.max() > 1:
        raise K2CError(
            "These are not probabilities: some are below 0 or above 1. Use logits.softmax(dim=1)[:, 1]."
        )
    point = at_threshold(scores, positive, threshold)
    surprise = -np.log(np.clip(np.where(positive, scores, 1 - scores), 1e-12, 1))
    accuracy = float(((scores >= threshold) == positive).mean())
    values = (
        accuracy, float(surprise[~positive].mean()), float(surprise[positive].mean()),
        point.sensitivity, point.specificity, roc_auc(scores, positive), *auc_interval(scores, positive, seed=seed),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def screening_table(stages: dict[str, Any], labels: Any, threshold: float = 0.5) -> "pandas.DataFrame":
    """Return `screening_row` of several stages, a row each.

    Parameters
    ----------
    stages
        The probabilities of disease, (N,), by the name of the stage.
    labels, threshold
        See `screening_row`.
    """
    import pandas

    rows = {name: screening_row(scores, labels, threshold) for name, scores in stages.items()}
    return pandas.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS)).rename_axis("stage")


def risk_groups(probabilities: Any, labels: Any, bins: int = 10) -> dict[str, np.ndarray]:
    """Return what a reliability diagram draws: in groups of equal size, what was predicted and what was true.

    Parameters
    ----------
    probabilities, labels
        Of disease, and the truth.
    bins
        Groups of the examples, sorted by their probability. (Groups of equal *width* would leave most of them
        empty where disease is rare.)

    Returns
    -------
    dict
        `predicted` (mean probability), `observed` (fraction of positives) and `count`, each (bins,).
    """
    scores, positive = _check(probabilities, labels)
    groups = [group for group in np.array_split(np.argsort(scores, kind="stable"), bins) if len(group)]
    return {
        "predicted": np.array([scores[group].mean() for group in groups]),
        "observed": np.array([positive[group].mean() for group in groups]),
        "count": np.array([len(group) for group in groups]),
    }


def screening_costs(
    scores: Any, labels: Any, *, missed: float, alarm: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return all useful thresholds, and the mean cost an eye of each: two float64 arrays of one length.

    Parameters
    ----------
    scores, labels
        The scores and the truth.
    missed, alarm
        What one missed positive and one false alarm cost.
    """
    scores, positive = _check(scores, labels)
    thresholds = np.append(np.unique(scores), np.nextafter(scores.max(), np.inf))
    misses = np.searchsorted(np.sort(scores[positive]), thresholds)
    alarms = (~positive).sum() - np.searchsorted(np.sort(scores[~positive]), thresholds)
    return thresholds, (missed * misses + alarm * alarms) / len(scores)


def _auc_of_patients(
    scores: np.ndarray,
    positive: np.ndarray,
    patients: np.ndarray,
    samples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the AUC of resamples of whole patients; those without a positive or a negative eye are drawn anew."""
    rows = rows_of_groups(patients)
    drawn: list[np.ndarray] = []
    while len(drawn) < samples:
        picked = draw_groups(rows, generator)
        if positive[picked].any() and not positive[picked].all():
            drawn.append(picked)
    return auc_of_counts(scores[None], positive, counts_of(drawn, len(scores)))[:, 0]


def _check(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return scores as float64 (N,) and whether each is positive, bool (N,)."""
    values, truth = as_array(scores).astype(float), as_array(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise K2CError(
            f"There are scores of shape {values.shape} and labels of shape {truth.shape}. Give one score and one "
            "label an example; of two logits take logits.softmax(dim=1)[:, 1]."
        )
    if np.isnan(values).any():
        raise K2CError(
            f"{np.isnan(values).sum():,} of the scores are NaN. Look for the cause in the model's inputs."
        )
    if set(np.unique(truth)) - {0, 1}:
        raise K2CError("Labels must be 1 for positives and 0 for negatives.")
    positive = truth.astype(bool)
    if positive.all() or not positive.any():
        raise K2CError(
            "These examples are all positive or all negative, so nothing can be told apart. Take more of them."
        )
    return values, positive

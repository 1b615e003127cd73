"""Is one model better than another? Paired comparisons on the same examples, resampled by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.metrics.screening import auc_of_counts, counts_of, draw_groups, roc_auc, rows_of_groups
from k2c.training.losses import as_array

AT_ONCE = 100  # resamples: a table of a number for each and each example


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    a, b
        The metric of each model, averaged over its training seeds.
    difference
        `a - b`.
    low, high
        The interval of the difference.
    p_value
        Two-sided, of "there is no difference". It counts one resample more than was drawn, so it is never 0, and just
        above `1 - confidence` when the interval only just excludes 0.
    groups
        How many patients (or other groups) were resampled.
    confidence
        How often such an interval covers the true difference, such as 0.95.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    groups: int
    confidence: float

    @property
    def verdict(self) -> str:
        """`"higher"`, `"lower"` (model a against model b), or `"within the noise"`."""
        if self.low <= 0 <= self.high:
            return "within the noise"
        return "higher" if self.difference > 0 else "lower"

    def __str__(self) -> str:
        return (
            f"{self.difference:+.3f} ({self.confidence:.0%} interval {self.low:+.3f} to {self.high:+.3f}, "
            f"p = {self.p_value:.2g}): {self.verdict}"
        )


def compare(
    scores_a: Any,
    scores_b: Any,
    targets: Any,
    groups: Any = None,
    *,
    metric: Callable[[Any, Any], float] = roc_auc,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same examples: the difference of a metric, with an interval and a p value.

    Both models are measured on the same resample each time, so what makes an example hard for both cancels out.
    Whole groups are resampled, with replacement. Several training seeds are resampled as well: S - 1 of the S are
    drawn, which makes the variance of their mean unbiased (Rao and Wu, 1988). With few seeds the interval is
    slightly too narrow: in simulations with 3 to 10 seeds that differ a lot, 93 % of the 95 % intervals covered.

    Parameters
    ----------
    scores_a, scores_b
        Of each model, (N,); or (S, N), one row per training seed, where row s of both is a pair.
    targets
        1, 0 or NaN (not known: left out), (N,).
    groups
        Whom each example belongs to, such as the patients, (N,). Every example stands alone where it is left out.
    metric
        Called with (scores, targets), each (N,), and returns a number.
    confidence
        Of the percentile interval.
    samples
        How many resamples. A resample in which all targets are equal is drawn again.
    seed
        Of the resampling.

    Returns
    -------
    Comparison
        Of `metric(a) - metric(b)`. Correct the p values of several comparisons with `holm`.

    Raises
    ------
    K2CError
        When the shapes differ, there are fewer than two groups, or the targets are all equal.

    References
    ----------
    Efron and Tibshirani: An introduction to the bootstrap (1993), chapters 8, 13 and 15.

    Examples
    --------
    >>> compare([0.1, 0.9, 0.2, 0.8], [0.1, 0.9, 0.2, 0.8], [0, 1, 0, 1]).difference
    0.0
    """
    a, b, truth, owners = _aligned(scores_a, scores_b, targets, groups)
    pair, seeds = np.stack([a, b]), len(a)
    members = _members(owners)

    generator = np.random.default_rng(seed)
    measured = np.empty((0, 2))
    while len(measured) < samples:
        drawn = []
        for _ in range(min(samples - len(measured), AT_ONCE)):
            rows = generator.integers(seeds, size=max(seeds - 1, 1))
            columns = draw_groups(members, generator)
            if truth[columns].any() and not truth[columns].all():
                drawn.append((rows, columns))
        measured = np.concatenate([measured, _measure(metric, pair, truth, drawn)])
    differences = measured[:, 0] - measured[:, 1]
    (values,) = _measure(metric, pair, truth, [(np.arange(seeds), np.arange(len(truth)))])
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    p_value = 2 * (1 + min((differences <= 0).sum(), (differences >= 0).sum())) / (1 + samples)
    return Comparison(
        float(values[0]), float(values[1]), float(values[0] - values[1]),
        float(low), float(high), float(min(p_value, 1.0)), len(members), confidence,
    )  # fmt: skip


def mean_interval(
    values: np.ndarray, groups: np.ndarray, samples: int = 2000, seed: int = 0,
    statistic: Callable[[np.ndarray], float] = np.mean,
) -> tuple[float, float, float]:  # fmt: skip
    """Return a mean with its 95% interval, whole patients resampled.

    Parameters
    ----------
    values
        Of each film, float64 (N,).
    groups
        Its patient, (N,).
    samples, seed
        Of the bootstrap.
    statistic
        Instead of the mean.
    """
    members, generator = rows_of_groups(groups), np.random.default_rng(seed)
    drawn = [statistic(values[draw_groups(members, generator)]) for _ in range(samples)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(statistic(values)), float(low), float(high)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p values corrected for being several, float64 (M,), in the order they came.

    Rejecting those below 0.05 makes a false claim among all M with a probability of at most 0.05, whatever their
    dependence (Holm: A simple sequentially rejective multiple test procedure, 1979).

    Parameters
    ----------
    p_values
        Of M comparisons, each from 0 to 1.

    Raises
    ------
    K2CError
        When one is not a number from 0 to 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, float)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise K2CError("p values must be a row of numbers from 0 to 1. Leave out comparisons without one.")
    order = np.argsort(values)
    corrected = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    result = np.empty(len(values))
    result[order] = np.minimum(corrected, 1)
    return result


def _measure(
    metric: Callable[[Any, Any], float],
    pair: np.ndarray,
    truth: np.ndarray,
    drawn: Sequence[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """Return the metric of both models in each resample, of the seeds and examples that were drawn: (resamples, 2)."""
    if metric is not roc_auc:
        values = [
            np.array([[metric(one[columns], truth[columns]) for one in of[rows]] for of in pair])
            for rows, columns in drawn
        ]
    else:
        counts = counts_of((columns for _, columns in drawn), len(truth))
        of_all = auc_of_counts(pair.reshape(-1, len(truth)), truth, counts).reshape(
            len(drawn), *pair.shape[:2]
        )
        values = [of_both.take(rows, axis=1) for of_both, (rows, _) in zip(of_all, drawn, strict=True)]
    return np.array([value.mean(axis=1) for value in values]).reshape(-1, 2)


def _members(owners: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each group."""
    members = rows_of_groups(owners)
    if len(members) == 1:
        raise K2CError("All examples belong to one group, so nothing can be resampled. Give several groups.")
    return members


def _aligned(scores_a: Any, scores_b: Any, targets: Any, groups: Any) -> tuple[np.ndarray, ...]:
    """Return the known examples: scores of both as float64 (S, N), targets as bool (N,), and groups (N,)."""
    a, b = (np.atleast_2d(as_array(scores).astype(float)) for scores in (scores_a, scores_b))
    truth = as_array(targets).astype(float)
    owners = np.arange(truth.size) if groups is None else as_array(groups)
    if a.ndim != 2 or a.shape != b.shape or not a.shape[1:] == truth.shape == owners.shape or not len(a):
        raise K2CError(
            f"There are scores of shape {a.shape} and {b.shape}, targets of shape {truth.shape} and groups of shape "
            f"{owners.shape}. Give both models' scores as (N,) or (seeds, N), and (N,) of targets and groups."
        )
    known = ~np.isnan(truth)
    a, b, truth, owners = a[:, known], b[:, known], truth[known], owners[known]
    if np.isnan(a).any() or np.isnan(b).any():
        raise K2CError("Some of the scores are NaN. Look for the cause in the model's inputs.")
    if set(np.unique(truth)) != {0, 1}:
        raise K2CError("Targets must be 1, 0 or NaN (not known), and both 1 and 0 must occur.")
    return a, b, truth.astype(bool), owners

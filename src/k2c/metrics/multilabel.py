"""Several findings per example: how well each finding is told from the rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from k2c.errors import K2CError
from k2c.metrics.calibration import calibration_error
from k2c.metrics.screening import bootstrap_auc, roc_auc
from k2c.training.losses import as_array, known_labels

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    "count",
    "prevalence",
    "ROC AUC",
    "AUC, low",
    "AUC, high",
    "average precision",
    "calibration error",
)
MACRO = "mean"


def multilabel_table(
    probabilities: Any,
    labels: Any,
    classes: Sequence[str],
    *,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> "pandas.DataFrame":
    """Return how well each finding is told from the rest, one row per finding, and their mean.

    Parameters
    ----------
    probabilities
        Of each finding, (N, C).
    labels
        The truth, (N, C): 1, 0 or NaN (not known), which does not count.
    classes
        The findings' names.
    confidence, samples, seed
        Of the bootstrap interval of the AUC.

    Returns
    -------
    pandas.DataFrame
        Indexed by finding, then `mean`: `COLUMNS`. `count` is of those with the finding. A finding that nobody has
        (or everybody) has NaN, and is left out of the mean. The interval of the mean is of means over the findings,
        each resampled; the films' findings count as independent of one another.
    """
    import pandas
    from sklearn.metrics import average_precision_score

    scores, values = _check(probabilities, labels, classes)
    tail = (1 - confidence) / 2
    rows: dict[str, list[float]] = {}
    resampled = []
    for number, name in enumerate(classes):
        known = ~np.isnan(values[:, number])
        score, truth = scores[known, number], values[known, number]
        count, often = float(truth.sum()), float(truth.mean()) if len(truth) else np.nan
        if not 0 < count < len(truth):
            rows[name] = [count, often, *[np.nan] * 5]
            continue
        draws = bootstrap_auc(score, truth, samples, seed + number)
        resampled.append(draws)
        low, high = np.quantile(draws, [tail, 1 - tail])
        precision = float(average_precision_score(truth, score))
        rows[name] = [count, often, roc_auc(score, truth), low, high, precision, _calibration(score, truth)]
    table = pandas.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    mean = table.mean()
    mean["count"] = table["count"].sum()
    if resampled:
        mean["AUC, low"], mean["AUC, high"] = np.quantile(np.mean(resampled, axis=0), [tail, 1 - tail])
    return pandas.concat([table, mean.to_frame(MACRO).T]).rename_axis("finding")


def _calibration(score: np.ndarray, truth: np.ndarray) -> float:
    return calibration_error(score, truth) if score.min() >= 0 and score.max() <= 1 else float("nan")


def _check(scores: Any, labels: Any, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and labels, float64 (N, C)."""
    values, truth = as_array(scores).astype(float), known_labels(labels)
    if values.shape != truth.shape or len(classes) != truth.shape[1]:
        raise K2CError(
            f"There are scores {values.shape} for labels {truth.shape}, and {len(classes)} names: give "
            "one score per finding."
        )
    if np.isnan(values).any():
        raise K2CError(
            f"{np.isnan(values).sum():,} of the scores are NaN. Look for the cause in the model's inputs."
        )
    return values, truth

"""Several findings an example: the loss, and how well each finding is told from the rest.

Throughout, labels are 1, 0 or NaN (not known), shape (N, C). What is not known counts neither for the loss nor for a
measure.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from k2c.errors import K2CError
from k2c.metrics.screening import bootstrap_auc, calibration_error, roc_auc

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


class MultiLabelLoss(nn.Module):
    """Sigmoid and cross-entropy of each finding, averaged over all labels that are known.

    Parameters
    ----------
    positive_weights
        What an example with the finding counts, one number a finding; all 1 where it is left out. See
        `positive_weights`.

    Raises
    ------
    K2CError
        When the weights are not a row of positive, finite numbers.
    """

    weight: Tensor | None

    def __init__(self, positive_weights: Any = None) -> None:
        super().__init__()
        weight = None if positive_weights is None else torch.as_tensor(positive_weights, dtype=torch.float32)
        if weight is not None and (weight.ndim != 1 or not (torch.isfinite(weight) & (weight > 0)).all()):
            raise K2CError(
                f"The weights are {weight.tolist()}. Give one positive number a finding, such as [1, 10]."
            )
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; 0 when nothing is known.

        Parameters
        ----------
        logits, targets
            Float (N, C).
        """
        if logits.shape != targets.shape or (
            self.weight is not None and len(self.weight) != logits.shape[-1]
        ):
            weights = "" if self.weight is None else f" and {len(self.weight)} weights"
            raise K2CError(
                f"There are logits {tuple(logits.shape)}, labels {tuple(targets.shape)}{weights}: the model must "
                "give one logit a finding."
            )
        known = ~torch.isnan(targets)
        losses = functional.binary_cross_entropy_with_logits(
            logits, targets.nan_to_num(0.0).to(logits.dtype), pos_weight=self.weight, reduction="none"
        )
        return (losses * known).sum() / known.sum().clamp(min=1)


def positive_weights(labels: Any, most: float = 100.0) -> Tensor:
    """Return `negatives / positives` of each finding, float32 (C,): with them, both sides count the same.

    Parameters
    ----------
    labels
        Of the training examples, (N, C).
    most
        No weight is larger: of a finding that is hardly ever there (or never), single examples would rule.
    """
    values = _labels(labels)
    positive, negative = np.nansum(values == 1, axis=0), np.nansum(values == 0, axis=0)
    return torch.from_numpy(np.clip(negative / np.maximum(positive, 1), 1 / most, most)).float()


def multilabel_table(
    probabilities: Any,
    labels: Any,
    classes: Sequence[str],
    *,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> "pandas.DataFrame":
    """Return how well each finding is told from the rest, a row a finding, and their mean.

    Parameters
    ----------
    probabilities
        Of each finding, (N, C).
    labels
        The truth, (N, C).
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
        area = roc_auc(score, truth)
        rows[name] = [
            count,
            often,
            area,
            low,
            high,
            average_precision(score, truth),
            _calibration(score, truth),
        ]
    table = pandas.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    mean = table.mean()
    mean["count"] = table["count"].sum()
    if resampled:
        mean["AUC, low"], mean["AUC, high"] = np.quantile(np.mean(resampled, axis=0), [tail, 1 - tail])
    return pandas.concat([table, mean.to_frame(MACRO).T]).rename_axis("finding")


def macro_auc(scores: Any, labels: Any) -> float:
    """Return the mean ROC AUC over the findings that some have and some have not; NaN when there is none.

    Parameters
    ----------
    scores, labels
        (N, C).
    """
    scores, values = _check(scores, labels, None)
    areas = []
    for score, truth in zip(scores.T, values.T, strict=True):
        known = ~np.isnan(truth)
        if 0 < truth[known].sum() < known.sum():
            areas.append(roc_auc(score[known], truth[known]))
    return float(np.mean(areas)) if areas else float("nan")


def average_precision(scores: Any, labels: Any) -> float:
    """Return the mean precision over all positives, ranked by score (ties share a place), of one finding, (N,)."""
    score, truth = np.asarray(scores, float), np.asarray(labels) == 1
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # of each group of equal scores
    found = np.cumsum(truth[order])[last]
    precision = found / (last + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / max(found[-1], 1))


def _calibration(score: np.ndarray, truth: np.ndarray) -> float:
    return calibration_error(score, truth) if score.min() >= 0 and score.max() <= 1 else float("nan")


def _labels(labels: Any) -> np.ndarray:
    values = np.asarray(torch.as_tensor(labels).detach().cpu()).astype(float)
    if values.ndim != 2 or not (np.isnan(values) | (values == 0) | (values == 1)).all():
        raise K2CError(
            "Labels must be 1, 0 or NaN (not known), one for each example and finding: shape (N, C)."
        )
    return values


def _check(scores: Any, labels: Any, classes: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and labels, float64 (N, C)."""
    values, truth = np.asarray(torch.as_tensor(scores).detach().cpu()).astype(float), _labels(labels)
    if values.shape != truth.shape or (classes is not None and len(classes) != truth.shape[1]):
        names = "" if classes is None else f", and {len(classes)} names"
        raise K2CError(
            f"There are scores {values.shape} for labels {truth.shape}{names}: give one score a finding."
        )
    if np.isnan(values).any():
        raise K2CError(
            f"{np.isnan(values).sum():,} of the scores are NaN. Look for the cause in the model's inputs."
        )
    return values, truth

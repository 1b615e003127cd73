"""How well a classifier does on images that it did not learn from, with intervals."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from k2c.datasets import LabelledImages
from k2c.metrics import auc_interval, multilabel_table, roc_auc
from k2c.metrics.screening import draw_groups, rows_of_groups

COLUMNS = ("images", "right", "fraction right", "low", "high")
_Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations
_SAMPLES = 2000


def held_out_table(data: LabelledImages, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Return how many of the images of each class are right, with 95 % intervals; of findings, the AUC of each.

    Parameters
    ----------
    data
        Held-out images.
    probabilities
        (N, classes).

    Returns
    -------
    pandas.DataFrame
        One label an image: a row for each class, then `all`: `COLUMNS`. The interval of `all` is of whole patients
        drawn with replacement where patients have several images; the others are Wilson's (1927). Several
        findings an image: `k2c.metrics.multilabel_table`.
    """
    if data.multi_label:
        return multilabel_table(probabilities, data.labels, data.classes)
    right = probabilities.argmax(axis=1) == data.labels
    rows = {name: _row(right[data.labels == place]) for place, name in enumerate(data.classes)}
    rows["all"] = _row(right, data.patients)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS)).rename_axis("class")


def performance(data: LabelledImages, probabilities: NDArray[np.float32]) -> str:
    """Return the performance in a sentence or two, for the card of a classifier."""
    table = held_out_table(data, probabilities)
    patients = data.table["patient"].nunique()
    number = f"{len(data):,} held-out images" + (f" of {patients:,} patients" if patients < len(data) else "")
    if data.multi_label:
        mean = table.loc["mean"]
        if math.isnan(mean["ROC AUC"]):
            return f"Not measured: no finding is both present and absent among the {number}."
        area = between(*mean[["ROC AUC", "AUC, low", "AUC, high"]])
        return f"Mean area under the ROC curve over the findings {area}, on {number}."
    whole = table.loc["all"]
    values = (f"{100 * whole[name]:.1f} %" for name in COLUMNS[2:])
    first, low, high = values
    words = f"{int(whole['right']):,} of {number} right: {first} (95 % interval {low} to {high})."
    if len(data.classes) == 2 and 0 < data.labels.sum() < len(data):
        scores = probabilities[:, 1]
        low, high = auc_interval(scores, data.labels, patients=data.patients)  # type: ignore[assignment]
        words += f" Area under the ROC curve {between(roc_auc(scores, data.labels), low, high)}."  # type: ignore[arg-type]
    return words


def between(value: float, low: float, high: float) -> str:
    """Return a measured value and its 95 % interval, in words."""
    return f"{value:.3f} (95 % interval {low:.3f} to {high:.3f})"


def _row(right: NDArray[np.bool_], patients: NDArray[np.str_] | None = None) -> list[float]:
    if not len(right):
        return [0, 0, math.nan, math.nan, math.nan]
    groups = [] if patients is None else rows_of_groups(patients)
    if 1 < len(groups) < len(right):
        generator = np.random.default_rng(0)
        means = [right[draw_groups(groups, generator)].mean() for _ in range(_SAMPLES)]
        low, high = np.quantile(means, [0.025, 0.975])
    else:
        low, high = wilson(int(right.sum()), len(right))
    return [len(right), int(right.sum()), float(right.mean()), float(low), float(high)]


def wilson(hits: int, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction (Wilson, 1927)."""
    fraction, square = hits / number, _Z**2 / number
    middle = (fraction + square / 2) / (1 + square)
    reach = math.sqrt(fraction * (1 - fraction) * square + square**2 / 4) / (1 + square)
    return 0.0 if hits == 0 else middle - reach, 1.0 if hits == number else middle + reach

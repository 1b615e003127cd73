"""From grades of diabetic retinopathy to the question that a screening asks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from k2c.errors import K2CError, unknown

CLASSES = ("no retinopathy", "retinopathy")
GRADES = ("none", "mild", "moderate", "severe", "proliferative")
FIRST_POSITIVE = {"referable": 2, "any": 1}  # the lowest grade that counts


def label_of_grade(grades: ArrayLike, positive: str = "referable") -> NDArray[np.float64]:
    """Return 1 where a grade counts as positive, 0 where not, NaN where it is NaN.

    Parameters
    ----------
    grades
        (N,): 0 none, 1 mild, 2 moderate, 3 severe, 4 proliferative diabetic retinopathy, or NaN.
    positive
        `"referable"`: grade 2 and up. `"any"`: grade 1 and up.

    References
    ----------
    Wilkinson et al.: Proposed international clinical diabetic retinopathy and diabetic macular edema disease
    severity scales, Ophthalmology 110 (2003).
    """
    if positive not in FIRST_POSITIVE:
        raise K2CError(unknown("kind of positive", positive, FIRST_POSITIVE))
    values = np.asarray(grades, dtype=np.float64)
    return np.where(np.isnan(values), np.nan, values >= FIRST_POSITIVE[positive])


def binary_label(
    grades: pd.Series | None, answers: Mapping[str, pd.Series], positive: str, path: Path
) -> NDArray[np.float64]:
    """Return the labels of a CSV file: from the grades, else from a column that answers the question.

    Parameters
    ----------
    grades
        Column of grades, when there is one.
    answers
        Columns of 0, 1 or NaN, by name: `referable`, `dr` (any retinopathy), `label` (whatever was meant).
    positive
        `"referable"` or `"any"`.
    path
        The CSV file, for messages.
    """
    column = {"referable": "referable", "any": "dr"}
    if positive not in column:
        raise K2CError(unknown("kind of positive", positive, column))
    fitting = [answers[name] for name in (column[positive], "label") if name in answers]
    if grades is not None:
        labels = label_of_grade(grades, positive)
        return np.where(np.isnan(labels), fitting[0], labels) if fitting else labels
    if not fitting:
        (other,) = set(column) - {positive}
        raise K2CError(
            f'{path} has neither grades nor a column {column[positive]}, so positive="{positive}" cannot be told; '
            f'it has {column[other]}. Use load_fundus(..., positive="{other}"); for a lecture or a batch, call the '
            "column label, and it is taken as it is."
        )
    return fitting[0].to_numpy(np.float64)

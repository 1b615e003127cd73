"""Graders who err: more often on eyes that are difficult for everybody."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from k2c.errors import K2CError

MISS, ALARM = 0.2, 0.03  # of one grader: positives called negative, negatives called positive


def difficulty(table: pd.DataFrame, seed: int = 0) -> NDArray[np.float64]:
    """Return how difficult each synthetic eye is to grade, float64 (N,): a standard normal number in each class.

    A positive eye is difficult when its lesions are faint, a negative one when it has a look-alike, and both when the
    photograph is blurred. Only the order within the class counts: the eyes of a class get the normal scores of their
    ranks, so that the error rates of `grade_eyes` stay what they are.

    Parameters
    ----------
    table
        Of `synthetic_fundus`: columns `true_label`, `contrast`, `lookalike` and `blur`.
    seed
        Decides between eyes that are equally difficult by these.
    """
    positive = table["true_label"].to_numpy() == 1
    hard = np.where(positive, 1 - table["contrast"], 0.5 * (table["lookalike"] != "")) + table["blur"] / 8
    hard = hard + 1e-6 * np.random.default_rng(seed).random(len(table))
    scores = np.zeros(len(table))
    for part in (positive, ~positive):
        if part.any():
            scores[part] = ndtri((rankdata(hard[part]) - 0.5) / part.sum())
    return scores


def grade_eyes(
    truth: Any, difficulty: Any, generator: np.random.Generator, *, rho: float = 0.3,
    miss: float = MISS, alarm: float = ALARM,
) -> NDArray[np.int64]:  # fmt: skip
    """Return what one grader says of each eye, int64 (N,).

    The grader errs where `sqrt(rho) * difficulty + sqrt(1 - rho) * noise` exceeds what the error rate leaves. This
    sum is standard normal, and `rho` is its correlation between any two graders. The error rates do not depend on
    `rho`; how often two graders make the same error does.

    Parameters
    ----------
    truth
        0 or 1, (N,).
    difficulty
        Of each eye, standard normal, (N,); see `difficulty`.
    generator
        Draws the noise: each call is another grader.
    rho
        From 0 (graders err independently) to 1 (all err on the same eyes).
    miss, alarm
        The fraction of the positives that are called negative, and of the negatives that are called positive.

    Raises
    ------
    K2CError
        When a number is no fraction, or the shapes differ.

    References
    ----------
    O. A. Vasicek: The distribution of loan portfolio value, Risk (2002), for dependent events with one common factor.
    """
    labels, hard = np.asarray(truth, dtype=np.int64), np.asarray(difficulty, dtype=float)
    if labels.shape != hard.shape or labels.ndim != 1:
        raise K2CError(
            f"The truth has shape {labels.shape}, the difficulty {hard.shape}. Give one of each per eye, (N,)."
        )
    for name, value in (("rho", rho), ("miss", miss), ("alarm", alarm)):
        if not 0 <= value <= 1:
            raise K2CError(f"{name}={value!r} is not a fraction: it must lie between 0 and 1.")
    noise = generator.standard_normal(len(labels))
    trouble = np.sqrt(rho) * hard + np.sqrt(1 - rho) * noise
    errs = trouble > ndtri(1 - np.where(labels == 1, miss, alarm))
    return np.where(errs, 1 - labels, labels)


def adjudicate(first: Any, second: Any, third: Any) -> NDArray[np.int64]:
    """Return what two graders agree on, and where they do not, what a third says, int64 (N,)."""
    return np.where(np.asarray(first) == second, first, third)

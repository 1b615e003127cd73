"""Is a network that says 70 % right in 70 of 100 cases, and what to do when it is not."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from k2c._system.torchvision_compat import import_torchmetrics
from k2c.errors import K2CError
from k2c.training.losses import as_array

TEMPERATURES = (0.05, 20.0)  # between these the best one is looked for


def fit_temperature(logits: Tensor, targets: Tensor, groups: NDArray[np.int64] | None = None) -> float:
    """Return the temperature T that makes softmax(logits / T) fit best what the images showed.

    One number for all classes: it changes how sure the network is and never its answer. It minimises the mean
    negative log likelihood of the targets.

    Parameters
    ----------
    logits
        float32 (N, K).
    targets
        int64 (N,), the class of each example; or bool (N, K), True at every class that is right, where an
        image may be called by several names (their probabilities add up).
    groups
        int (N,): examples of one group, such as crops of one photograph, share the weight of a single example.

    Returns
    -------
    float
        Between 0.05 and 20; below 1 the network was too modest, above 1 too sure.

    Raises
    ------
    K2CError
        When the shapes do not fit, or nothing is there to fit to.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks (2017).
    """
    accepted = accepted_classes(logits, targets)
    weights = _weights(len(logits), groups)
    logits = logits.double()

    def cost(log_temperature: float) -> float:
        log_p = (logits / np.exp(log_temperature)).log_softmax(dim=1)
        right = log_p.masked_fill(~accepted, -torch.inf).logsumexp(dim=1)
        return float(-(weights * right).sum())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(cost, bounds=(low, high), method="bounded").x))


def accepted_classes(logits: Tensor, targets: Tensor) -> Tensor:
    """Return bool (N, K), True at the right classes, from targets of either kind (see `fit_temperature`)."""
    if targets.dtype == torch.bool and targets.shape == logits.shape and len(logits):
        accepted = targets
    elif targets.dtype == torch.int64 and targets.shape == logits.shape[:1] and len(logits):
        accepted = torch.nn.functional.one_hot(targets, logits.shape[1]).bool()
    else:
        raise K2CError(
            f"Logits of shape {tuple(logits.shape)} need targets as int64 ({len(logits)},) or bool "
            f"{tuple(logits.shape)}, at least one; these are {targets.dtype} {tuple(targets.shape)}."
        )
    if not accepted.any(dim=1).all():
        raise K2CError("An example without any right class cannot be calibrated with. Leave it out.")
    return accepted


def how_sure(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> pd.DataFrame:
    """Return for each example how sure the network is of its answer, and whether the answer is right.

    Parameters
    ----------
    logits, targets
        As for `fit_temperature`.

    Returns
    -------
    pandas.DataFrame
        N rows: `confidence` (the probability of the most probable class) and `right` (bool).
    """
    accepted = accepted_classes(logits, targets)
    best = (logits / temperature).softmax(dim=1).max(dim=1)
    right = accepted.gather(1, best.indices[:, None])[:, 0]
    return pd.DataFrame({"confidence": best.values.numpy(), "right": right.numpy()})


def calibration_error(probabilities: Any, outcomes: Any, bins: int = 15) -> float:
    """Return the expected calibration error: how far what was predicted and what happened lie apart on average.

    Parameters
    ----------
    probabilities
        That each prediction is right, or that each example is positive, (N,).
    outcomes
        Whether it was, bool or 0 and 1, (N,).
    bins
        Bins of equal width; their gaps are averaged, weighted by the examples in them. Compare two errors only
        with equal bins.

    Raises
    ------
    K2CError
        When there is not one outcome per probability, or some are not probabilities.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks (2017), with 15 bins.
    """
    import_torchmetrics()
    from torchmetrics.functional.classification import binary_calibration_error

    predicted, happened = as_array(probabilities).astype(float), as_array(outcomes)
    if predicted.ndim != 1 or predicted.shape != happened.shape or not len(predicted):
        raise K2CError(
            f"There are probabilities of shape {predicted.shape} and outcomes of shape {happened.shape}. Give one of "
            "each per example."
        )
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise K2CError("These are not probabilities: some are not from 0 to 1. Use softmax or sigmoid first.")
    targets = torch.from_numpy(happened.astype(np.int64))
    return float(binary_calibration_error(torch.from_numpy(predicted), targets, n_bins=bins, norm="l1"))


def reliability(sure: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Return the mean confidence and the fraction of right answers in equal bins of the confidence.

    Returns
    -------
    pandas.DataFrame
        A row for each bin with examples in it: `low`, `high` (its edges), `examples`, `confidence`, `right`.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(sure["confidence"], edges[1:-1]), 0, bins - 1)
    table = sure.groupby(place).agg(
        examples=("right", "size"), confidence=("confidence", "mean"), right=("right", "mean")
    )
    table.insert(0, "low", edges[table.index])
    table.insert(1, "high", edges[table.index + 1])
    return table.reset_index(drop=True)


def _weights(n: int, groups: NDArray[np.int64] | None) -> Tensor:
    if groups is None:
        return torch.full((n,), 1 / n, dtype=torch.float64)
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return torch.from_numpy(1 / sizes[place] / len(sizes))

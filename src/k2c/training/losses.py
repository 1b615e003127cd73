"""Losses for classes of very different size, and for several findings per example.

The labels of findings are 1, 0 or NaN (not known), shape (N, C); what is not known does not count.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from k2c.errors import K2CError


class WeightedSoftmax(nn.Module):
    """Softmax and cross-entropy, in which each example counts as much as its class weighs.

    The loss of a batch is `mean(weight[target] * -log softmax(logits)[target])`. PyTorch's own weighted mean
    divides by the weights of the batch instead of by its size; a batch of one class then loses its weight
    altogether, and where one class is rare most batches are of one class.

    Parameters
    ----------
    class_weights
        One positive number per class, for example of `class_weights(labels)`.

    Raises
    ------
    K2CError
        When the weights are not a row of positive, finite numbers.
    """

    weight: Tensor

    def __init__(self, class_weights: Any) -> None:
        super().__init__()
        weight = torch.as_tensor(class_weights, dtype=torch.float32)
        if weight.ndim != 1 or not (torch.isfinite(weight) & (weight > 0)).all():
            raise K2CError(
                f"The class weights are {weight.tolist()}. Give one positive number per class, such as [1, 10]."
            )
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        logits
            Float (N, n_classes).
        targets
            The true classes, int64 (N,).
        """
        if logits.shape[-1] != len(self.weight):
            raise K2CError(
                f"The model gives {logits.shape[-1]} logits and there are {len(self.weight)} class weights. "
                "Give one weight per class."
            )
        weight = self.weight.to(logits.device)
        losses = functional.cross_entropy(logits, targets, weight=weight, reduction="none")
        return losses.mean()

    def extra_repr(self) -> str:
        """Return the weights, for `repr`."""
        return ", ".join(f"{value:.4g}" for value in self.weight.tolist())


def class_weights(labels: Any) -> Tensor:
    """Return weights that make all classes count the same: `N / (n_classes * N_class)`, float32 (n_classes,).

    Over the examples the weights average 1, so a learning rate that suits the plain loss suits the weighted one.

    Parameters
    ----------
    labels
        The classes of the training examples, whole numbers from 0, shape (N,).

    Raises
    ------
    K2CError
        When a class has no example, because no weight makes up for that.
    """
    counts = count_classes(labels)
    return torch.from_numpy(counts.sum() / (len(counts) * counts)).float()


def count_classes(labels: Any) -> np.ndarray:
    """Return the number of examples of each class, int64 (n_classes,): of two classes, or up to the largest label.

    Raises
    ------
    K2CError
        When a class has no example, or a label is no class.
    """
    values = as_array(labels)
    if values.ndim != 1 or values.dtype.kind not in "iub" or (values < 0).any():
        raise K2CError("Labels must be whole numbers, one per example: 0 for the first class, and so on.")
    counts = np.bincount(values.astype(np.int64), minlength=2)
    if not counts.all():
        missing = ", ".join(str(label) for label in np.flatnonzero(counts == 0))
        raise K2CError(
            f"There is no example of class {missing} among the {len(values):,} labels. Take more examples, or "
            "another split."
        )
    return counts


class MultiLabelLoss(nn.Module):
    """Sigmoid and cross-entropy of each finding, averaged over all labels that are known."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; 0 when nothing is known.

        Parameters
        ----------
        logits, targets
            Float (N, C).
        """
        if logits.shape != targets.shape:
            raise K2CError(
                f"There are logits {tuple(logits.shape)} and labels {tuple(targets.shape)}: the model must give one "
                "logit per finding."
            )
        known = ~torch.isnan(targets)
        losses = functional.binary_cross_entropy_with_logits(
            logits, targets.nan_to_num(0.0).to(logits.dtype), reduction="none"
        )
        return (losses * known).sum() / known.sum().clamp(min=1)


def known_labels(labels: Any) -> np.ndarray:
    """Return the labels of several findings, each 1, 0 or NaN (not known), as float64 (N, C).

    Raises
    ------
    K2CError
        When they are something else.
    """
    values = as_array(labels).astype(float)
    if values.ndim != 2 or not (np.isnan(values) | (values == 0) | (values == 1)).all():
        raise K2CError(
            "Labels must be 1, 0 or NaN (not known), one for each example and finding: shape (N, C)."
        )
    return values


def as_array(values: Any) -> np.ndarray:
    """Return a tensor on any device, an array, a column or a list as an array."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)

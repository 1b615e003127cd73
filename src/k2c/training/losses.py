"""Losses for classes of very different size."""

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
        One positive number a class, for example of `class_weights(labels)`.

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
                f"The class weights are {weight.tolist()}. Give one positive number a class, such as [1, 10]."
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
                "Give one weight a class."
            )
        weight = self.weight.to(logits.device)
        losses = functional.cross_entropy(logits, targets, weight=weight, reduction="none")
        return losses.mean()

    def extra_repr(self) -> str:
        """Return the weights, for `repr`."""
        return ", ".join(f"{value:.4g}" for value in self.weight.tolist())


def class_weights(labels: Any, n_classes: int = 2) -> Tensor:
    """Return weights that make all classes count the same: `N / (n_classes * N_class)`, float32 (n_classes,).

    Over the examples the weights average 1, so a learning rate that suits the plain loss suits the weighted one.

    Parameters
    ----------
    labels
        The classes of the training examples, whole numbers from 0, shape (N,).
    n_classes
        The number of classes.

    Raises
    ------
    K2CError
        When a class has no example, because no weight makes up for that.
    """
    counts = count_classes(labels, n_classes)
    return torch.from_numpy(counts.sum() / (n_classes * counts)).float()


def count_classes(labels: Any, n_classes: int) -> np.ndarray:
    """Return the number of examples of each class, int64 (n_classes,).

    Raises
    ------
    K2CError
        When a class has no example, or a label is no class.
    """
    values = as_array(labels)
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise K2CError("Labels must be whole numbers, one an example: 0 for the first class, and so on.")
    values = values.astype(np.int64)
    if len(values) and not 0 <= values.min() <= values.max() < n_classes:
        raise K2CError(
            f"The labels go from {values.min()} to {values.max()}, and {n_classes} classes have the labels "
            f"0 to {n_classes - 1}. Set n_classes, or correct the labels."
        )
    counts = np.bincount(values, minlength=n_classes)
    if not counts.all():
        missing = ", ".join(str(label) for label in np.flatnonzero(counts == 0))
        raise K2CError(
            f"There is no example of class {missing} among the {len(values):,} labels. Take more examples, or "
            "another split."
        )
    return counts


def as_array(values: Any) -> np.ndarray:
    """Return a tensor on any device, an array, a column or a list as an array."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)

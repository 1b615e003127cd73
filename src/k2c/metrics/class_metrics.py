"""Metrics that show each class, however rare; torchmetrics loads with this module."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from k2c._system.torchvision_compat import import_torchmetrics

if TYPE_CHECKING:
    from torchmetrics import Metric
else:
    Metric = import_torchmetrics().Metric


class ClassCrossEntropy(Metric):
    """Cross-entropy (mean of `-log p` of the true class) of each class, or their weighted mean.

    Parameters
    ----------
    n_classes
        The number of classes, which is the number of logits.
    weights
        What each class counts in the mean, (n_classes,). Where it is left out every class counts the same. A class
        without examples is left out of the mean.
    each
        Whether to return one value per class, float32 (n_classes,), NaN for a class without examples.
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    class_weights: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, n_classes: int, weights: Any = None, each: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.each = each
        chosen = torch.ones(n_classes) if weights is None else torch.as_tensor(weights, dtype=torch.float32)
        self.register_buffer("class_weights", chosen, persistent=False)
        self.add_state("total", torch.zeros(n_classes, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(n_classes, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Take a batch in: logits, float (N, n_classes), and the true classes, int64 (N,)."""
        losses = functional.cross_entropy(logits, targets, reduction="none").to(self.total.dtype)
        self.total = self.total.index_add(0, targets, losses)
        self.count = self.count.index_add(0, targets, torch.ones_like(losses))

    def compute(self) -> Tensor:
        """Return the value of each class, or the weighted mean of the classes."""
        by_class = (self.total / self.count).float()
        if self.each:
            return by_class
        seen = self.count > 0
        weights = self.class_weights[seen]
        return (by_class[seen] * weights).sum() / weights.sum()

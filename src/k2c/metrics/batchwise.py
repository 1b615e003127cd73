"""Metrics that `fit` and `evaluate` update batch by batch."""

from typing import TYPE_CHECKING, Any

from k2c._system.torchvision_compat import import_torchmetrics

if TYPE_CHECKING:
    from torchmetrics import Metric


def accuracy(n_classes: int) -> "Metric":
    """Return torchmetrics' accuracy: the fraction of examples whose largest logit is the target's.

    Parameters
    ----------
    n_classes
        The number of classes, which is the number of logits.
    """
    import_torchmetrics()
    from torchmetrics.classification import MulticlassAccuracy

    return MulticlassAccuracy(num_classes=n_classes, average="micro")


def class_cross_entropy(n_classes: int, weights: Any = None, each: bool = False) -> "Metric":
    """Return the weighted multi-class cross-entropy: the mean over the *classes* of each class's mean `-log p`.

    Parameters
    ----------
    n_classes
        The number of classes, which is the number of logits.
    weights
        What each class counts; all the same where it is left out.
    each
        Whether to return one value per class instead of their mean.
    """
    from k2c.metrics.class_metrics import ClassCrossEntropy

    return ClassCrossEntropy(n_classes, weights, each)

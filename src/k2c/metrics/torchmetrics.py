"""Import torchmetrics, which imports torchvision, on any pair of builds."""

import importlib
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from k2c._system.torchvision_compat import import_torchvision

if TYPE_CHECKING:
    from torchmetrics import Metric


def import_torchmetrics() -> ModuleType:
    """Return the module `torchmetrics`; after this, `import torchmetrics` works anywhere in the process.

    torchmetrics imports torchvision where there is one, and so stumbles over a torchvision that was built for
    another torch; see `k2c._system.torchvision_compat`. A machine without torchvision is fine.
    """
    with suppress(ModuleNotFoundError):
        import_torchvision()
    return importlib.import_module("torchmetrics")


def accuracy(n_classes: int) -> "Metric":
    """Return torchmetrics' accuracy: the share of examples whose largest logit is the target's.

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
        Whether to return one value a class instead of their mean.
    """
    from k2c.metrics.class_metrics import ClassCrossEntropy

    return ClassCrossEntropy(n_classes, weights, each)

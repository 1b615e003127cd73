"""Import torchmetrics, which imports torchvision, on any pair of builds."""

import importlib
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING

from k2c.torchvision_compat import import_torchvision

if TYPE_CHECKING:
    from torchmetrics import Metric


def import_torchmetrics() -> ModuleType:
    """Return the module `torchmetrics`; after this, `import torchmetrics` works anywhere in the process.

    torchmetrics imports torchvision where there is one, and so stumbles over a torchvision that was built for
    another torch; see `k2c.torchvision_compat`. A machine without torchvision is fine.
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

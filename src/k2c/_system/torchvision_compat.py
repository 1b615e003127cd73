"""Import torchvision beside a torch build that it was not compiled for.

The package index's torchvision is compiled against a CUDA torch. Beside a CPU torch its compiled operators do not
load, and its import stops where it describes two of them to torch. Models, transforms and datasets need neither.
"""

import importlib
import sys
from contextlib import suppress
from types import ModuleType

import torch

_MISSING_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: torch.library.Library | None = None


def import_torchvision() -> ModuleType:
    """Return the module `torchvision`, declaring the operators it misses where the build pair needs it.

    A matching pair of builds is imported untouched.

    Raises
    ------
    RuntimeError
        When torchvision fails to import for any other reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declared is not None:
            raise
    _declare_operators()
    _forget_half_imported("torchvision")
    return importlib.import_module("torchvision")


def import_torchmetrics() -> ModuleType:
    """Return the module `torchmetrics`; after this, `import torchmetrics` works anywhere in the process.

    torchmetrics imports torchvision where there is one, and so stumbles over a torchvision that was built for
    another torch. A machine without torchvision is fine.
    """
    with suppress(ModuleNotFoundError):
        import_torchvision()
    return importlib.import_module("torchmetrics")


def declared() -> bool:
    """Tell whether this process had to declare the operators."""
    return _declared is not None


def _declare_operators() -> None:
    global _declared
    # torch drops a declaration when its Library object dies, so the module keeps it.
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    for name in _MISSING_OPERATORS:
        _declared.define(f"{name}{_SCHEMA}")


def _forget_half_imported(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]

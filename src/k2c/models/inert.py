"""Read the tensors of a pickled module without running anything that the file names."""

import pickle
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO

from torch import Tensor
from torch._utils import _rebuild_parameter, _rebuild_tensor_v2

_MADE = {  # what makes tensors and plain containers, and nothing else: torch's own reader of weights allows the same
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("builtins", "set"): set,
}


class Inert:
    """Stands for an object of any class that a file names: it has the attributes and none of the code."""

    dump_patches = False  # asked for by torch when the class's source has changed since

    def __init__(self, *args: object) -> None:
        """Take whatever the file gives."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few functions that are allowed, and for every other name a class that does nothing."""
        return _MADE.get((module, name)) or type(name, (Inert,), {"__module__": module})


class InertPickle:
    """What `torch.load` takes as `pickle_module`: reads whole modules, also of 2020, and runs none of their code."""

    Unpickler = _Unpickler

    @staticmethod
    def load(file: BinaryIO, **options: Any) -> Any:
        """Read one object."""
        return _Unpickler(file, **options).load()


def state_of(module: Inert) -> dict[str, Tensor]:
    """Return the tensors of a module that was read as `Inert`, under the names that `state_dict` gives them."""
    return dict(_tensors(module, ""))


def _tensors(module: Inert, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for kind in ("_parameters", "_buffers"):
        for name, value in getattr(module, kind, {}).items():
            if isinstance(value, Tensor):
                yield prefix + name, value.detach()
    for name, part in getattr(module, "_modules", {}).items():
        yield from _tensors(part, f"{prefix}{name}.")

"""Kernels to Clinic: what the lecture notebooks import. Light: torch loads with the subpackage that needs it."""

import importlib
from typing import Any

from k2c.course.exercises import check
from k2c.course.lecture import open_lecture
from k2c.course.results import guard, measured, record

__version__ = "0.1.0"
__all__ = ["__version__", "check", "guard", "measured", "open_lecture", "record"]

# `k2c.training.fit` works after `import k2c` alone: a subpackage is imported when its name is first used.
_SUBPACKAGES = {
    "bench", "course", "datasets", "display", "kernels", "metrics", "models", "own", "parallel", "runs", "synthetic",
    "training",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"k2c.{name}")
    raise AttributeError(f"module 'k2c' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBPACKAGES})

"""The interface of a device that runs kernels, as compiling, checking and tuning use it."""

import copy
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from k2c.kernels.base import Ops
from k2c.kernels.build_log import KEPT, BuildMessage

Shapes = dict[str, dict[str, int]]  # compile-time numbers, by file


class KernelDevice(Ops):
    """A device that compiles kernels and runs them.

    Attributes
    ----------
    kind
        `cpu` or `gpu`: decides the compile-time numbers (`build.SHAPES`).
    language
        `opencl` or `cuda`: decides the prelude.
    runtime
        The device with the runtime or driver that it is reached by.
    identity
        What distinguishes it from other devices, drivers and settings of drivers.
    build_log
        What compilers said, the latest builds.
    """

    kind: str
    language: str
    runtime: str
    identity: tuple[str, ...]

    def __init__(self) -> None:
        self.build_log: deque[BuildMessage] = deque(maxlen=KEPT)
        self._shapes: Shapes | None = None

    def shaped(self, shapes: Shapes) -> Self:
        """Return the same device with the given shapes, by file; the defaults for other files."""
        other = copy.copy(self)
        other._shapes = shapes
        return other

    def _keep(self, title: str, source: str, said: str) -> None:
        """Keep what was said about a build."""
        if said.strip():
            self.build_log.append(BuildMessage(title, source, said))

    @abstractmethod
    def build(self, text: str, kernel: str, options: dict[str, int], title: str, helper: str = "") -> Any:
        """Return a compiled kernel of a source text; `helper` goes between the prelude and the text."""

    @abstractmethod
    def enqueue(
        self, kernel: Any, global_size: Sequence[int], local: Sequence[int], arguments: Sequence[Any]
    ) -> Any:
        """Launch a compiled kernel without checks."""

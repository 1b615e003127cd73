"""A kernel that somebody writes in a lecture: tried on random numbers of any size, and looked into."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.build import one_kernel, options_of
from k2c.kernels.cases import Case, first_error, random_case
from k2c.kernels.memory import MemoryReport
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.table import SPECIFICATIONS, specification
from k2c.kernels.trace import Trace

# Sizes for a look at each kernel of the package: none a multiple of a group, so that the edges are seen too.
_SMALL = {
    "n": 40, "m": 40, "k": 24, "rows": 40, "columns": 40, "chunks": 2, "channels": 3, "pixels": 40, "planes": 2,
    "height": 20, "width": 20, "filters": 4, "kernel_height": 5, "kernel_width": 5, "count": 40, "length": 16,
    "stride": 1, "step": 40, "above": 2, "beside": 2, "taps": 25,
}  # fmt: skip
_OF_BLOCK = {
    "n": 2,
    "height": 12,
    "width": 12,
    "channels": 20,
    "filters": 16,
}  # what LeNet's second block reads


def memory_reports(ops: Ops) -> dict[str, MemoryReport]:
    """Return what the first work-group of each kernel of the package would cost in a GPU's memory, on small sizes.

    Parameters
    ----------
    ops
        A device that runs kernels; its kind decides the kernels' compile-time numbers.

    Raises
    ------
    K2CError
        When the device runs no kernels.
    """
    if not isinstance(ops, KernelOps):
        raise K2CError(f"{ops.name} runs no kernels. Open the device opencl or cuda.")
    reports = {}
    for name, spec in SPECIFICATIONS.items():
        sizes = _SMALL | _OF_BLOCK if spec.source == "conv_block.cl" else _SMALL
        numbers: dict[str, Any] = {a.name: sizes.get(a.name, 16) for a in spec.arguments if a.way == "int"}
        case = random_case(name, ops.kind, **numbers)
        options = options_of(ops.kind, spec.source)
        kernel = ops.compile(one_kernel(spec.source, name), name, options)
        reports[name] = kernel.memory_report(case.global_size, *case.put(ops), local=case.local)
    return reports


class Attempt:
    """A kernel's text on a device; it has the name and the arguments of the package's kernel that it stands for.

    Parameters
    ----------
    ops
        What `kernels.open` returned.
    text
        The kernel.
    local
        The size of a work-group, when it is not the one of the package's kernel.
    options
        Its compile-time numbers, `ops.options(kernels.specification(name))` for those that the tuner chose here.
        The defaults when not given, so that counts are the same on every machine.
    """

    def __init__(
        self,
        ops: Ops,
        text: str,
        local: Sequence[int] | None = None,
        options: Mapping[str, int] | None = None,
    ) -> None:
        found = re.search(r"\bKERNEL\s+(\w+)", text)
        self.ops, self.text, self.local, self.name = ops, text, local, found[1] if found else ""
        self.options = options

    def verdict(self, **sizes: Any) -> str:
        """Return `right`, or a sentence: it does not compile, leaves an array, has a race, or an element is wrong.

        `sizes` are the kernel's numbers, `n=1000`.
        """
        if not self.name:
            return "The text has no kernel. A kernel begins with: KERNEL name(GLOBAL float *x, int n) {"
        if not isinstance(self.ops, KernelOps):
            return (
                f"{self.ops.name} runs no kernels, so this one cannot be checked here. Choose the device opencl or "
                f"cuda; opencl comes with: {pip_install('pyopencl[pocl]')}"
            )
        return first_error(self.text, self.name, self.ops, self.local, self.options, **sizes)

    def on(self, **sizes: Any) -> str:
        """Return `right`.

        Raises
        ------
        K2CError
            With the verdict, when it is another.
        """
        verdict = self.verdict(**sizes)
        if verdict != "right":
            raise K2CError(verdict)
        return verdict

    def warnings(self) -> tuple[str, ...]:
        """Return what the compiler warns of in the text, each with its line.

        Raises
        ------
        K2CError
            When the device runs no kernels, or the kernel does not compile.
        """
        found: tuple[str, ...] = self.ops.compile(self.text, self.name, self._options()).warnings
        return found

    def trace(self, group: int | Sequence[int] = 0, **sizes: Any) -> Trace:
        """Return every access of one work-group.

        Raises
        ------
        K2CError
            When the device runs no kernels, or the kernel does not compile or leaves an array.
        """
        kernel, case = self._on_random(sizes)
        local = self.local or case.local
        trace: Trace = kernel.trace(case.global_size, *case.put(self.ops), local=local, group=group)
        return trace

    def memory_report(self, group: int | Sequence[int] = 0, **sizes: Any) -> MemoryReport:
        """Return what one work-group's accesses would cost in a GPU's memory.

        Raises
        ------
        K2CError
            As `trace`.
        """
        kernel, case = self._on_random(sizes)
        local = self.local or case.local
        report: MemoryReport = kernel.memory_report(
            case.global_size, *case.put(self.ops), local=local, group=group
        )
        return report

    def outputs(self, arrays: Mapping[str, np.ndarray], **sizes: Any) -> dict[str, np.ndarray]:
        """Run it on arrays of one's own, by their names, and return its output arrays by name.

        Raises
        ------
        K2CError
            As `trace`.
        """
        kernel, case = self._on_random(sizes)
        case.arrays.update({name: array.astype(np.float32).ravel() for name, array in arrays.items()})
        given = case.put(self.ops)
        kernel.run(case.global_size, *given, local=self.local or case.local)
        pairs = zip(case.spec.arguments, given, strict=True)
        return {argument.name: self.ops.get(value) for argument, value in pairs if argument.way == "out"}

    def _on_random(self, sizes: dict[str, Any]) -> tuple[Any, Case]:
        case = random_case(self.name, getattr(self.ops, "kind", "cpu"), options=self.options, **sizes)
        return self.ops.compile(self.text, self.name, self._options()), case

    def _options(self) -> dict[str, int]:
        defaults = options_of(getattr(self.ops, "kind", "cpu"), specification(self.name).source)
        return defaults if self.options is None else dict(self.options)

    def global_reads(self, **sizes: Any) -> int:
        """Return how many numbers the first work-group reads from global memory."""
        return self.trace(**sizes).totals()["global_reads"]

    def barriers(self, **sizes: Any) -> int:
        """Return how many barriers a work-item of the first group passes before its last access to memory."""
        return int(self.trace(**sizes).barriers.max(initial=0))

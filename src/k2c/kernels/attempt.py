"""A kernel that somebody writes in a lecture: tried on random numbers of any size, and looked into."""

import re
from collections.abc import Sequence
from typing import Any

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.build import options_of
from k2c.kernels.cases import first_error, random_case
from k2c.kernels.student import Trace


class Attempt:
    """A kernel's text on a device; it has the name and the arguments of the package's kernel that it stands for.

    Parameters
    ----------
    ops
        What `kernels.open` returned.
    text
        The kernel.
    """

    def __init__(self, ops: Ops, text: str) -> None:
        found = re.search(r"\bKERNEL\s+(\w+)", text)
        self.ops, self.text, self.name = ops, text, found[1] if found else ""

    def verdict(self, **sizes: Any) -> str:
        """Return `right`, or a sentence: it does not compile, leaves an array, or which element is wrong first.

        `sizes` are the kernel's numbers, `n=1000`.
        """
        if not self.name:
            return "The text has no kernel. A kernel begins with: KERNEL name(GLOBAL float *x, int n) {"
        return first_error(self.text, self.name, self.ops, **sizes)

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

    def trace(self, group: int | Sequence[int] = 0, **sizes: Any) -> Trace:
        """Return every access of one work-group.

        Raises
        ------
        K2CError
            When the device runs no kernels, or the kernel does not compile or leaves an array.
        """
        kind = getattr(self.ops, "kind", "cpu")
        case = random_case(self.name, kind, **sizes)
        kernel = self.ops.compile(self.text, self.name, options_of(kind, case.spec.source))
        trace: Trace = kernel.trace(case.global_size, *case.put(self.ops), local=case.local, group=group)
        return trace

    def global_reads(self, **sizes: Any) -> int:
        """Return how many numbers the first work-group reads from global memory."""
        return self.trace(**sizes).totals()["global_reads"]

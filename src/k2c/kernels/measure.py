"""Time on a device, and the roofline: how fast a kernel could be there, and how fast it is."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from k2c.kernels.base import Ops
from k2c.kernels.cases import Case, random_case
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.table import specification

COPY_ELEMENTS = 1 << 24  # 64 MiB: more than most caches hold
PRODUCT = 1024  # rows of the square matrices of the compute ceiling


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of the repeats, the least and the greatest."""

    seconds: float
    least: float
    greatest: float
    repeats: int

    def __repr__(self) -> str:
        low, high = self.least * 1e3, self.greatest * 1e3
        return f"{self.seconds * 1e3:.3f} ms (median of {self.repeats}; {low:.3f} to {high:.3f})"


def measure(ops: Ops, call: Callable[[], Any], repeats: int = 7, warmup: int = 2) -> Timing:
    """Time a call that launches work on a device, by the host's clock: from the call until everything is done.

    Parameters
    ----------
    ops
        The device.
    call
        What to time.
    repeats, warmup
        Calls that count, and calls before that do not.
    """
    for _ in range(warmup):
        call()
    ops.synchronize()
    times = [_seconds(ops, call) for _ in range(max(1, repeats))]
    return Timing(statistics.median(times), min(times), max(times), len(times))


@dataclass(frozen=True)
class Ceilings:
    """What a device can do: bytes per second of a copy, operations per second of a product."""

    bytes_per_second: float
    operations_per_second: float

    @property
    def ridge(self) -> float:
        """Operations per byte at which both ceilings meet."""
        return self.operations_per_second / self.bytes_per_second


@dataclass(frozen=True)
class Roofline:
    """A kernel below the roof.

    Attributes
    ----------
    kernel
        Its name.
    operations, bytes
        What its specification says it must do and move at least.
    seconds
        The median time.
    ceilings
        The device's.
    """

    kernel: str
    operations: int
    bytes: int
    seconds: float
    ceilings: Ceilings

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes

    @property
    def bound(self) -> str:
        """What limits it: `memory` left of the ridge, `compute` right of it."""
        return "memory" if self.intensity < self.ceilings.ridge else "compute"

    @property
    def least_seconds(self) -> float:
        """The shortest time that is possible on this device."""
        of_bytes = self.bytes / self.ceilings.bytes_per_second
        return max(of_bytes, self.operations / self.ceilings.operations_per_second)

    @property
    def operations_per_second(self) -> float:
        """What it reaches."""
        return self.operations / self.seconds

    @property
    def fraction(self) -> float:
        """The part of the roof that it reaches; above 1 by noise, or when its data stays in a cache."""
        return self.least_seconds / self.seconds

    def __repr__(self) -> str:
        return (
            f"{self.kernel}: {self.seconds * 1e3:.3f} ms, {self.intensity:.2f} operations per byte "
            f"({self.bound}-bound), {self.fraction:.0%} of the roof"
        )


def ceilings(ops: Ops, repeats: int = 5, *, elements: int = COPY_ELEMENTS, side: int = PRODUCT) -> Ceilings:
    """Measure both ceilings of a device: a copy and a product; of ours and torch's the faster each.

    What is compared with a ceiling has to be of its size: arrays that a cache holds move faster than others.

    Parameters
    ----------
    ops
        The device.
    repeats
        Calls that count; the least time is taken.
    elements
        Elements that are copied, float32.
    side
        Rows and columns of the matrices that are multiplied.
    """
    copies = [measure(ops, call, repeats).least for call in _copies(ops, elements)]
    products = [measure(ops, call, repeats).least for call in _products(ops, side)]
    return Ceilings(2 * 4 * elements / min(copies), 2 * side**3 / min(products))


def roofline(
    ops: Ops, kernel: str, roof: Ceilings | None = None, repeats: int = 7, **numbers: Any
) -> Roofline:
    """Run a kernel on random arguments and place it below the roof.

    Parameters
    ----------
    ops
        The device.
    kernel
        A kernel of `source/`.
    roof
        The device's ceilings, when measured before.
    repeats
        Launches that count.
    numbers
        The kernel's numbers, `n=1 << 24` or `m=512, n=512, k=512`.

    Raises
    ------
    K2CError
        When there is no such kernel, a number is missing, or the device does not run it.
    """
    options = ops.options(specification(kernel)) if isinstance(ops, KernelOps) else {}
    case = random_case(kernel, getattr(ops, "kind", "cpu"), options=options, **numbers)
    arguments = case.put(ops)
    values = case.spec.numbers(case.numbers, options)
    timing = measure(ops, partial(_launch, ops, case, arguments), repeats)
    return Roofline(kernel, *case.spec.work(**values), timing.seconds, roof or ceilings(ops))


def _launch(ops: Ops, case: Case, arguments: list[Any]) -> None:
    ops.run(case.spec.name, case.global_size, *arguments)


def _copies(ops: Ops, elements: int) -> list[Callable[[], Any]]:
    calls: list[Callable[[], Any]] = []
    if isinstance(ops, KernelOps):
        calls.append(partial(ops.copy, *(ops.put(np.ones(elements, np.float32)) for _ in range(2))))
    if _torch_shares(ops):
        import torch

        x, y = (torch.ones(elements, device="cuda" if ops.name == "cuda" else "cpu") for _ in range(2))
        calls.append(lambda: y.copy_(x))
    return calls


def _products(ops: Ops, side: int) -> list[Callable[[], Any]]:
    square = np.ones((side, side), np.float32)
    a, out = ops.put(square), ops.empty(square.shape)
    calls: list[Callable[[], Any]] = [lambda: ops.matmul(a, a, out=out)]
    if _torch_shares(ops):
        import torch

        b = torch.ones(side, side, device="cuda" if ops.name == "cuda" else "cpu")
        calls.append(lambda: torch.mm(b, b))
    return calls


def _torch_shares(ops: Ops) -> bool:
    """Whether torch computes on the same hardware."""
    return ops.name == "cuda" or getattr(ops, "kind", "cpu") == "cpu"


def _seconds(ops: Ops, call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    ops.synchronize()
    return time.perf_counter() - start

"""Measure two things in turns, each in a process of its own."""

import multiprocessing
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


class Side:
    """One side of a comparison: calls run in one fresh process, one after another, and it keeps its state.

    Some settings hold for a whole process (the memory allocator's, the number of threads). In a process of
    its own a side neither profits from the other's settings nor suffers from them.
    """

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def __call__(self, function: Callable[..., Result], *args: Any) -> Result:
        """Return `function(*args)`, computed in this side's process. `function` is one of a module."""
        return self._executor.submit(function, *args).result()


@contextmanager
def two_sides() -> Iterator[tuple[Side, Side]]:
    """Yield the two sides; their processes end with the block."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as ours, ProcessPoolExecutor(1, spawn) as reference:
        yield Side(ours), Side(reference)


def alternate(
    ours: Callable[[], float], reference: Callable[[], float], repeats: int
) -> tuple[list[float], list[float]]:
    """Call both in turns, so that what else the machine does meets both, and return their values."""
    pairs = [(ours(), reference()) for _ in range(repeats)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def spread(values: list[float]) -> str:
    """Return the median with the least and the greatest value, as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

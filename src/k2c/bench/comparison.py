"""Figures beside a reference: the register of benchmarks, two sides measured in turns, and the table of both.

Every module of this folder may add benchmarks with `@benchmark`.
"""

import importlib
import multiprocessing
import pkgutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NotRequired, TypedDict, TypeVar

from rich.table import Table
from rich.text import Text

from k2c._system.terminal import Terminal
from k2c.errors import K2CError, unknown

Result = TypeVar("Result")


class Row(TypedDict):
    """One measured figure beside its reference.

    `ratio` is made so that more is better: reference / ours for a time, ours / reference for an accuracy.
    `ok` says whether it reaches `target`. `detail` says what was measured, how often and on what.
    """

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float
    target: float
    ok: bool
    detail: NotRequired[str]


Benchmark = Callable[[], list[Row]]
_benchmarks: dict[str, Benchmark] = {}
_quick = False
SLOW = ("batch",)  # left out of a quick run unless they are named


def benchmark(name: str) -> Callable[[Benchmark], Benchmark]:
    """Register the function below under `name`. It takes nothing and returns rows."""

    def register(function: Benchmark) -> Benchmark:
        _benchmarks[name] = function
        return function

    return register


def available() -> list[str]:
    """Return the names of all benchmarks, sorted. This imports every module of `k2c.bench`."""
    package = importlib.import_module("k2c.bench")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(_benchmarks)


def turns(number: int) -> int:
    """Return how often the sides take turns: `number` times, a fifth of it in a quick run."""
    return max(1, number // 5) if _quick else number


def run_benchmarks(names: Sequence[str] = (), *, quick: bool = False) -> list[Row]:
    """Run benchmarks one after another and return their rows.

    Parameters
    ----------
    names
        Which ones; all of them when it is empty.
    quick
        Take a fifth of the turns, and leave out the benchmarks that take minutes all the same.

    Raises
    ------
    K2CError
        For a name that no benchmark has, before any of them starts.
    """
    known = available()
    for name in names:
        if name not in known:
            raise K2CError(unknown("benchmark", name, known))
    global _quick
    _quick = quick
    chosen = names or [name for name in known if not (quick and name in SLOW)]
    return [row for name in chosen for row in _benchmarks[name]()]


def time_row(name: str, times: tuple[Sequence[float], Sequence[float]], target: float, detail: str) -> Row:
    """Return the row of two sides' times in seconds, measured in turns.

    The ratio is the median over the turns, each against its neighbour: a machine that is slow for a while is slow
    for both. `target` is how many times faster ours shall be.
    """
    ours, reference = times
    ratio = statistics.median(theirs / own for own, theirs in zip(ours, reference, strict=True))
    row = Row(
        name=name, ours=statistics.median(ours), reference=statistics.median(reference), unit="s",
        ratio=ratio, target=target, ok=ratio >= target,
    )  # fmt: skip
    return row | {"detail": detail}


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


def print_rows(rows: Sequence[Row], console: Terminal) -> None:
    """Print a table of rows, then how each was measured."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("figure")
    for column in ("ours", "reference", "unit", "ratio", "target", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        numbers = [f"{row['ours']:.4g}", f"{row['reference']:.4g}", row["unit"]]
        verdict = Text("ok", "green") if row["ok"] else Text("missed", "red")
        table.add_row(row["name"], *numbers, f"{row['ratio']:.3g}", f"{row['target']:.3g}", verdict)
    console.print(table)
    for row in rows:
        if row.get("detail"):
            console.print(Text(f"{row['name']}: {row['detail']}", "dim"))

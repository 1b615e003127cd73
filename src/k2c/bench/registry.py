"""The register of benchmarks: every module of this folder may add some with `@benchmark`."""

import importlib
import pkgutil
import statistics
from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

from k2c.errors import K2CError, unknown


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


def run_benchmarks(names: Sequence[str] = ()) -> list[Row]:
    """Run benchmarks one after another and return their rows.

    Parameters
    ----------
    names
        Which ones; all of them when it is empty.

    Raises
    ------
    K2CError
        For a name that no benchmark has, before any of them starts.
    """
    known = available()
    for name in names:
        if name not in known:
            raise K2CError(unknown("benchmark", name, known))
    return [row for name in (names or known) for row in _benchmarks[name]()]


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

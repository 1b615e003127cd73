"""Benchmarks: figures of the kit, each beside a reference measured in the same run."""

from k2c.bench.registry import Row, available, benchmark, run_benchmarks, time_row
from k2c.bench.sides import Side, alternate, spread, two_sides
from k2c.bench.table import print_rows

__all__ = [
    "Row",
    "Side",
    "alternate",
    "available",
    "benchmark",
    "print_rows",
    "run_benchmarks",
    "spread",
    "time_row",
    "two_sides",
]

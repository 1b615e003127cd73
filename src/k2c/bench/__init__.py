"""Benchmarks: figures of the kit, each beside a reference measured in the same run."""

from k2c.bench.comparison import (
    Row,
    Side,
    alternate,
    available,
    benchmark,
    print_rows,
    run_benchmarks,
    spread,
    time_row,
    turns,
    two_sides,
)

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
    "turns",
    "two_sides",
]

"""How nbval compares the lectures: what a machine says on standard error is no part of a lecture's results."""

from typing import Any


def pytest_collectstart(collector: Any) -> None:
    """Leave `stderr` out of nbval's comparison; an exception, and what is printed or shown, still counts."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare = (*collector.skip_compare, "stderr")

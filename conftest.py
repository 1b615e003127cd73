"""How nbval runs and compares the lectures, which stand beside the tests."""

import os
from typing import Any

import pytest

os.environ["K2C_TUNE"] = "0"  # also for what the tests start before the first of them


def pytest_collectstart(collector: Any) -> None:
    """Leave `stderr`, what a machine says, out of the comparison; an exception and what is printed still count."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare = (*collector.skip_compare, "stderr")


@pytest.hookimpl(tryfirst=True)  # a notebook's kernel starts when its first cell is set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a lecture measure its kernels' best shapes, as for a reader; the tests take the shapes that are given.

    Measuring takes seconds, and what it finds differs from run to run.
    """
    if hasattr(item.parent, "skip_compare"):
        os.environ.pop("K2C_TUNE", None)
    else:
        os.environ["K2C_TUNE"] = "0"

"""What the tests of runs share."""

import psutil
import pytest


@pytest.fixture
def is_alive():
    """Return a function that tells whether a process still runs, given its number."""

    def tell(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return tell

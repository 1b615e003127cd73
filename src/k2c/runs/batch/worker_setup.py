"""What Dask loads in each worker of `--cluster local` before its work (a preload script of Dask's)."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which reaches every process of the terminal, to the command: it ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

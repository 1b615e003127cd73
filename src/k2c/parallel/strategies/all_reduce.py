"""`all_reduce`: every worker has the whole model, and their gradients are averaged in every step."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import torch.distributed

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.options import AllReduceOptions
from k2c.parallel.strategies.registry import Strategy, read_history, register
from k2c.parallel.workers.start import Module
from k2c.parallel.workers.supervise import Watcher, supervise
from k2c.training import History


def _run(
    job: Job, workers: int, folder: Path, options: AllReduceOptions, watchers: Sequence[Watcher]
) -> History:
    port = options.port or 0
    check_port(port)
    agent = Module("k2c.parallel.workers.agent", (str(folder), str(workers), str(options.max_restarts)))
    threads = {"OMP_NUM_THREADS": str(options.threads), "K2C_PORT": str(port)}
    supervise(agent, folder, workers, options.time_limit, watchers, threads)
    return read_history(folder)


def check_port(port: int) -> None:
    """Refuse a port that another program listens on; 0 stands for any free one.

    Raises
    ------
    K2CError
        When it is taken.
    """
    with socket.socket() as probe:
        if os.name == "posix":  # a port that was left a moment ago is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise K2CError(
                f"Port {port} is taken by another program. Leave `port` out, and a free one is found."
            ) from error


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _missing() -> str | None:
    if torch.distributed.is_available():
        return None
    command = pip_install("--force-reinstall", "torch")
    return f"This build of torch has no torch.distributed. Install an ordinary one: {command}"


ALL_REDUCE = register(
    Strategy(
        "all_reduce",
        "Every worker has the whole model; gradients are averaged between them (torch.distributed).",
        _run,
        AllReduceOptions,
        _missing,
    )
)

"""`parameter_server`: servers hold the model; workers push gradients to them and pull weights."""

import sys
from collections.abc import Sequence
from pathlib import Path

from torch.distributed import rpc

from k2c.parallel.job import Job
from k2c.parallel.options import ServerOptions
from k2c.parallel.strategies import Strategy, read_history, register
from k2c.parallel.supervise import Watcher, supervise
from k2c.training import History


def _run(
    job: Job, workers: int, folder: Path, options: ServerOptions, watchers: Sequence[Watcher]
) -> History:
    processes = str(workers + options.servers)
    agent = [
        sys.executable,
        "-m",
        "k2c.parallel.agent",
        str(folder),
        processes,
        "0",
        "serve",
    ]
    supervise(agent, folder, workers, options.time_limit, watchers, servers=options.servers)
    return read_history(folder)


def _missing() -> str | None:
    if rpc.is_available():
        return None
    return (
        "This build of torch has no torch.distributed.rpc (on Windows none has). Install torch on Linux or "
        "macOS, or use 'all_reduce'."
    )


PARAMETER_SERVER = register(
    Strategy(
        "parameter_server",
        "Servers hold the model; workers push gradients and pull weights (torch.distributed.rpc).",
        _run,
        ServerOptions,
        _missing,
    )
)

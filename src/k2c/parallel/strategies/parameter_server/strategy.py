"""`parameter_server`: servers hold the model; workers push gradients to them and pull weights."""

import importlib.util
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.distributed import rpc

from k2c._system.advice import pip_install, set_option
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.options import Options
from k2c.parallel.workers.start import Module, elastic_agent
from k2c.parallel.workers.watch import Watcher, run_and_watch

ENGINES = ("rpc", "ray")


@dataclass(frozen=True)
class ServerOptions(Options):
    """Options of `parameter_server`. When a process dies, all are started again, and go on from the last checkpoint.

    Attributes
    ----------
    servers
        How many processes hold the model, each a part.
    synchronous
        Whether a step waits for the gradients of all workers. Otherwise each gradient is applied as it comes,
        though it was computed with weights that others have changed since: it is stale.
    engine
        What starts the processes and carries the tensors: `"rpc"` (torchrun and torch.distributed.rpc) or `"ray"`
        (Ray's actors).
    """

    servers: int = 1
    synchronous: bool = True
    engine: str = "rpc"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.servers < 1:
            raise K2CError(f"servers is {self.servers}. There must be 1 or more.")
        if self.engine not in ENGINES:
            raise K2CError(unknown("engine", self.engine, ENGINES))


class ParameterServer(Strategy[ServerOptions]):
    """torchrun's agent starts workers and servers, which run `on_torch`; or Ray does, by `on_ray`."""

    name = "parameter_server"
    summary = (
        "Servers hold the model; workers push gradients and pull weights (torch.distributed.rpc, or Ray)."
    )
    options = ServerOptions

    def run(
        self, job: Job, workers: int, folder: Path, options: ServerOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start workers and servers, and watch them to their end."""
        run = _on_ray if options.engine == "ray" else _on_torch
        run(folder, workers, options, watchers)


def _on_torch(folder: Path, workers: int, options: ServerOptions, watchers: Sequence[Watcher]) -> None:
    if not rpc.is_available():
        raise K2CError(
            "This build of torch has no torch.distributed.rpc (on Windows none has). Install torch on Linux or "
            "macOS, or use 'all_reduce'."
        )
    program = "k2c.parallel.strategies.parameter_server.on_torch"
    agent = elastic_agent(folder, workers + options.servers, options.max_restarts, program)
    run_and_watch(agent, folder, workers, options.time_limit, watchers, servers=options.servers)


def _on_ray(folder: Path, workers: int, options: ServerOptions, watchers: Sequence[Watcher]) -> None:
    if importlib.util.find_spec("ray") is None:
        raise K2CError(
            f"The engine 'ray' needs Ray. Use {set_option('engine', 'rpc')}, or install Ray with: "
            f"{pip_install('[ray]')}"
        )
    # Ray listens on this machine's address, so it gets a secret that its callers must know.
    environment = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # What Ray calls a cluster is one whose nodes listen on every network. It refuses that elsewhere than on Linux,
        # unless this is 1; with 0 it stays on the loopback device here too.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    # Ray's own folder: the paths of its sockets must be short. It goes when all its processes have.
    with tempfile.TemporaryDirectory(prefix="k2c-ray-", dir="/tmp", ignore_cleanup_errors=True) as session:
        driver = Module(
            "k2c.parallel.strategies.parameter_server.on_ray", (str(folder), str(workers), session)
        )
        run_and_watch(
            driver, folder, workers, options.time_limit, watchers, environment, servers=options.servers
        )

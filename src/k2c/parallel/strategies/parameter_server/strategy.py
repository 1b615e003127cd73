"""`parameter_server`: servers hold the model; workers push gradients to them and pull weights."""

import importlib.util
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch.distributed import rpc

from k2c._system.advice import pip_install, set_option
from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.options import ServerOptions
from k2c.parallel.strategies.registry import Strategy, read_history, register
from k2c.parallel.workers.start import Module
from k2c.parallel.workers.supervise import Watcher, supervise
from k2c.training import History


def _run(
    job: Job, workers: int, folder: Path, options: ServerOptions, watchers: Sequence[Watcher]
) -> History:
    run = _on_ray if options.engine == "ray" else _on_torch
    run(folder, workers, options, watchers)
    return read_history(folder)


def _on_torch(folder: Path, workers: int, options: ServerOptions, watchers: Sequence[Watcher]) -> None:
    if not rpc.is_available():
        raise K2CError(
            "This build of torch has no torch.distributed.rpc (on Windows none has). Install torch on Linux or "
            "macOS, or use 'all_reduce'."
        )
    numbers = [str(workers + options.servers), str(options.max_restarts)]
    agent = Module("k2c.parallel.workers.agent", (str(folder), *numbers, "serve"))
    supervise(agent, folder, workers, options.time_limit, watchers, servers=options.servers)


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
            "k2c.parallel.strategies.parameter_server.ray_driver", (str(folder), str(workers), session)
        )
        supervise(driver, folder, workers, options.time_limit, watchers, environment, servers=options.servers)


PARAMETER_SERVER = register(
    Strategy(
        "parameter_server",
        "Servers hold the model; workers push gradients and pull weights (torch.distributed.rpc, or Ray).",
        _run,
        ServerOptions,
    )
)

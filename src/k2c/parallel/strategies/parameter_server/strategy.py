"""`parameter_server`: servers hold the model; workers push gradients to them and pull weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.distributed import rpc

from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.options import Options
from k2c.parallel.workers.start import elastic_agent
from k2c.parallel.workers.watch import Watcher, run_and_watch


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
    """

    servers: int = 1
    synchronous: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.servers < 1:
            raise K2CError(f"servers is {self.servers}. There must be 1 or more.")


class ParameterServer(Strategy[ServerOptions]):
    """torchrun's agent starts workers and servers, which run `parameter_server.worker`."""

    name = "parameter_server"
    summary = "Servers hold the model; workers push gradients and pull weights (torch.distributed.rpc)."
    options = ServerOptions

    def run(
        self, job: Job, workers: int, folder: Path, options: ServerOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start workers and servers, and watch them to their end."""
        if not rpc.is_available():
            raise K2CError(
                "This build of torch has no torch.distributed.rpc (on Windows none has). Install torch on Linux or "
                "macOS, or use 'all_reduce'."
            )
        program = "k2c.parallel.strategies.parameter_server.worker"
        agent = elastic_agent(folder, workers + options.servers, options.max_restarts, program)
        run_and_watch(agent, folder, workers, options.time_limit, watchers, servers=options.servers)

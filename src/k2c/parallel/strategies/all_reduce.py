"""`all_reduce`: every worker has the whole model, and their gradients are averaged in every step."""

from collections.abc import Sequence
from pathlib import Path

from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.start import elastic_agent
from k2c.parallel.workers.watch import Watcher, run_and_watch


class AllReduce(Strategy[AllReduceOptions]):
    """torchrun's agent starts the workers, which run `workers.worker`."""

    name = "all_reduce"
    summary = "Every worker has the whole model; gradients are averaged between them (torch.distributed)."
    options = AllReduceOptions

    def run(
        self, job: Job, workers: int, folder: Path, options: AllReduceOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start the agent, and watch the workers to their end."""
        environment = {"OMP_NUM_THREADS": str(options.threads)}
        agent = elastic_agent(folder, workers, options.max_restarts)
        run_and_watch(agent, folder, workers, options.time_limit, watchers, environment)

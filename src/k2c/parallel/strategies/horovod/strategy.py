"""`horovod`: the five steps on Horovod itself, where somebody has built it (see course/horovod.md)."""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k2c._system.advice import set_option
from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.lifeline import LIFELINE
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.start import launcher
from k2c.parallel.workers.watch import Watcher, run_and_watch


@dataclass(frozen=True)
class HorovodOptions(AllReduceOptions):
    """Options of `horovod`: those of `all_reduce`, without restarts and PowerSGD."""

    max_restarts: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compression == "powersgd":
            raise K2CError(
                f"Horovod has no PowerSGD. Use {set_option('compression', 'fp16')}, or the strategy 'all_reduce'."
            )
        if self.max_restarts:
            raise K2CError(
                "horovodrun restarts no worker here. Leave `max_restarts` out, or use 'all_reduce'."
            )


class Horovod(Strategy[HorovodOptions]):
    """horovodrun starts the workers, which run `horovod.worker`."""

    name = "horovod"
    summary = "As all_reduce, on Horovod, whose five steps these are; only where it has been built."
    options = HorovodOptions

    def missing(self) -> str | None:
        """Look for Horovod."""
        if importlib.util.find_spec("horovod") is not None:
            return None
        return (
            "The strategy 'horovod' needs Horovod, which no longer builds as released: course/horovod.md says how to "
            "build it. 'all_reduce' takes the same five steps, and comes with torch."
        )

    def run(
        self, job: Job, workers: int, folder: Path, options: HorovodOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start horovodrun, and watch the workers to their end."""
        program = launcher(
            sys.executable, "-m", "horovod.runner.launch", "--gloo", "--num-proc", str(workers),
            "--hosts", f"localhost:{workers}",
            sys.executable, "-m", "k2c.parallel.strategies.horovod.worker", str(folder),
        )  # fmt: skip
        # horovodrun holds standard input, and ends its workers itself.
        environment = {LIFELINE: "0", "OMP_NUM_THREADS": str(options.threads)}
        run_and_watch(program, folder, workers, options.time_limit, watchers, environment)

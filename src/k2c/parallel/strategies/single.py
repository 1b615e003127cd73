"""`single`: one worker, in this process. What every other strategy is compared with."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from k2c.errors import K2CError
from k2c.parallel.job import Experiment, Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.learner import Worker
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.replica import train_replica
from k2c.parallel.workers.watch import Watcher, WorkerState
from k2c.training import Callback, Learner, pick_device


class Single(Strategy[AllReduceOptions]):
    """No process is started."""

    name = "single"
    summary = "One worker, in this process."
    options = AllReduceOptions

    def run(
        self, job: Job, workers: int, folder: Path, options: AllReduceOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Train here."""
        if workers != 1:
            raise K2CError(
                f"'single' is one worker, not {workers}. Say workers=1 (on the command line: "
                "--workers 1), or choose 'all_reduce'."
            )

        def show(made: Experiment) -> None:
            made.callbacks = [*made.callbacks, _Watched(watchers)]

        messenger = Messenger(folder / "messages", 0)
        with _undisturbed():
            torch.set_num_threads(options.threads)
            train_replica(Worker(folder, job, options, 0, 1, messenger, pick_device()), show)


class _Watched(Callback):
    """Show this process as the one worker."""

    order = 20

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.watchers = watchers

    def after_batch(self, learner: Learner) -> None:
        """Report the batch."""
        self._tell(learner, "training")

    def after_fit(self, learner: Learner) -> None:
        """Report the end."""
        self._tell(learner, "done")

    def _tell(self, learner: Learner, status: str) -> None:
        batches = len(learner.train)  # type: ignore[arg-type]
        loss = learner.loss.item() if learner.loss.numel() == 1 else float("nan")
        epoch = min(learner.epoch, learner.epochs - 1)
        state = WorkerState(0, status, 0, 0, epoch, learner.batch, batches, 0, loss)
        for watcher in self.watchers:
            watcher([state])


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave this process's random generators and number of threads as they were."""
    threads, python, old = torch.get_num_threads(), random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(old)  # noqa: NPY002

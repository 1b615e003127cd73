"""What a worker runs under horovodrun: `python -m k2c.parallel.strategies.horovod.worker FOLDER`."""

import sys
from pathlib import Path

from k2c.parallel.job import Experiment
from k2c.parallel.strategies.horovod import steps as horovod_steps
from k2c.parallel.strategies.options import HorovodOptions
from k2c.parallel.workers.five_steps import exit_now
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.place import find_place
from k2c.parallel.workers.replica import ReplicaLearner
from k2c.parallel.workers.worker import all_reduce_worker, report


class HorovodLearner(ReplicaLearner):
    """The replica whose optimiser is Horovod's."""

    def connect(self) -> None:
        """Wrap the optimiser, in place of the model."""
        if self.shares.world_size > 1 and "average_gradients" not in self.options.skip:
            how = self.options.accumulate, self.options.compression
            self.optimizer = horovod_steps.average_gradients(self.optimizer, self.model, *how)


def metrics_meet(made: Experiment) -> None:
    """Let torchmetrics add up over Horovod's workers."""
    for metric in made.metrics.values():
        metric.dist_sync_fn, metric.distributed_available_fn = horovod_steps.gather, lambda: True


def main() -> int:
    """Train; returns the exit status."""
    folder, place = Path(sys.argv[1]), find_place()
    messenger = Messenger(folder / "messages", place.rank)

    def work() -> None:
        how = {"kind": HorovodLearner, "prepare": metrics_meet}
        all_reduce_worker(folder, place, messenger, HorovodOptions, horovod_steps, **how)

    return report(messenger, work)


if __name__ == "__main__":
    exit_now(main())

"""What a worker runs under mpirun: `python -m k2c.parallel.mpi_worker FOLDER train|time`."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from k2c.parallel.five_steps import exit_now
from k2c.parallel.messages import Messenger
from k2c.parallel.options import MpiOptions
from k2c.parallel.place import find_place
from k2c.parallel.replica import ReplicaLearner
from k2c.parallel.worker import all_reduce_worker, report

SKIPPED = 3  # calls before the first that counts


class MpiLearner(ReplicaLearner):
    """The replica whose gradients travel over MPI."""

    def connect(self) -> None:
        """Replace the exchange of DistributedDataParallel."""
        super().connect()
        if isinstance(self.replica, DistributedDataParallel):
            self.replica.register_comm_hook(None, average_over_mpi)


def average_over_mpi(state: object, bucket: GradBucket) -> Future[Tensor]:
    """Average one bucket of gradients over all workers: a communication hook."""
    gradients = bucket.buffer()
    MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, gradients.numpy(), op=MPI.SUM)
    done: Future[Tensor] = Future()
    done.set_result(gradients.div_(MPI.COMM_WORLD.size))
    return done


def main() -> int:
    """Train, or time the exchange; returns the exit status."""
    folder, task = Path(sys.argv[1]), sys.argv[2]
    place = find_place()
    messenger = Messenger(folder / "messages", place.rank)

    def work() -> None:
        if task == "time":
            _time(folder, messenger)
        else:
            all_reduce_worker(folder, place, messenger, MpiOptions, kind=MpiLearner)
        MPI.Finalize()

    return report(messenger, work)


def _time(folder: Path, messenger: Messenger) -> None:
    torch.set_num_threads(1)
    run, world = json.loads((folder / "run.json").read_text()), MPI.COMM_WORLD
    found = []
    for size in run["sizes"]:
        sent, received = np.ones(max(size // 4, 1), np.float32), np.empty(max(size // 4, 1), np.float32)
        times = []
        for _ in range(SKIPPED + run["repeats"]):
            world.Barrier()
            start = time.perf_counter()
            world.Allreduce(sent, received, op=MPI.SUM)
            times.append(time.perf_counter() - start)
            messenger.pulse(0, 0, 0)
        found.append((size, statistics.median(times[SKIPPED:])))
    if world.rank == 0:
        (folder / "times.json").write_text(json.dumps(found))


if __name__ == "__main__":
    exit_now(main())

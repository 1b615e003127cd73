"""What a worker runs under mpirun: `python -m k2c.parallel.strategies.mpi.worker FOLDER`."""

import sys
from pathlib import Path

from mpi4py import MPI
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from k2c.parallel.strategies.options import MpiOptions
from k2c.parallel.workers.five_steps import exit_now
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.place import find_place
from k2c.parallel.workers.replica import ReplicaLearner
from k2c.parallel.workers.worker import all_reduce_worker, report


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
    """Train; returns the exit status."""
    folder, place = Path(sys.argv[1]), find_place()
    messenger = Messenger(folder / "messages", place.rank)

    def work() -> None:
        all_reduce_worker(folder, place, messenger, MpiOptions, kind=MpiLearner)
        MPI.Finalize()

    return report(messenger, work)


if __name__ == "__main__":
    exit_now(main())

"""What a worker runs under mpirun: `python -m k2c.parallel.strategies.mpi.worker FOLDER`."""

from mpi4py import MPI
from torch import Tensor, nn
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from k2c.parallel.workers import worker
from k2c.parallel.workers.five_steps import TorchSteps


class MpiSteps(TorchSteps):
    """The five steps on torch.distributed, but for gradients, which travel over MPI."""

    def average_gradients(
        self, model: nn.Module, optimizer: Optimizer, compression: str, accumulate: int
    ) -> tuple[DistributedDataParallel, Optimizer]:
        """Step 3: replace the exchange of DistributedDataParallel."""
        replica, optimizer = super().average_gradients(model, optimizer, compression, accumulate)
        replica.register_comm_hook(None, average_over_mpi)
        return replica, optimizer

    def finish(self) -> None:
        """Leave MPI too."""
        super().finish()
        MPI.Finalize()


def average_over_mpi(state: object, bucket: GradBucket) -> Future[Tensor]:
    """Average one bucket of gradients over all workers: a communication hook."""
    gradients = bucket.buffer()
    MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, gradients.numpy(), op=MPI.SUM)
    done: Future[Tensor] = Future()
    done.set_result(gradients.div_(MPI.COMM_WORLD.size))
    return done


if __name__ == "__main__":
    worker.exit_now(worker.main(MpiSteps()))

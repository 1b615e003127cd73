"""What a worker runs under horovodrun: `python -m k2c.parallel.strategies.horovod.worker FOLDER`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import horovod.torch as hvd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from k2c.parallel.workers import worker
from k2c.parallel.workers.five_steps import FiveSteps, take_device
from k2c.parallel.workers.rendezvous import Rendezvous

if TYPE_CHECKING:
    from torchmetrics import Metric


class HorovodSteps(FiveSteps):
    """The five steps on Horovod itself; the fifth needs no library."""

    def initialise(self, rendezvous: Rendezvous, time_limit: float) -> torch.device:
        """Step 1; Horovod has its own limits of time, and meets where horovodrun says."""
        hvd.init()
        return take_device(rendezvous.local_rank)

    def broadcast_weights(self, model: nn.Module) -> None:
        """Step 2."""
        hvd.broadcast_parameters(model.state_dict(), root_rank=0)

    def average_gradients(
        self, model: nn.Module, optimizer: Optimizer, compression: str, accumulate: int
    ) -> tuple[nn.Module, Optimizer]:
        """Step 3: wrap the optimiser, which keeps what it has learnt so far."""
        wrapped = hvd.DistributedOptimizer(
            optimizer,
            named_parameters=model.named_parameters(),
            compression=getattr(hvd.Compression, compression),
            backward_passes_per_step=accumulate,
        )
        wrapped.load_state_dict(optimizer.state_dict())
        return model, wrapped

    def average_metrics(self, sums: Sequence[float]) -> list[float]:
        """Step 4."""
        return hvd.allreduce(torch.tensor(sums, dtype=torch.float64), op=hvd.Sum).tolist()

    def share_metrics(self, metrics: "Iterable[Metric]") -> None:
        """Tell torchmetrics how Horovod's workers gather tensors."""
        for metric in metrics:
            metric.dist_sync_fn, metric.distributed_available_fn = _gather, lambda: True

    def weight_spread(self, model: nn.Module) -> float:
        """Compare the largest of all workers with the smallest."""
        weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
        return (hvd.allreduce(weights, op=hvd.Max) - hvd.allreduce(weights, op=hvd.Min)).max().item()

    def same_everywhere(self, number: int) -> bool:
        """Gather all workers' numbers."""
        return len(set(hvd.allgather_object(number))) == 1

    def share_from_rank_0(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Send a Python object."""
        # With no name, Horovod takes that of the type, and would wait for ever for workers that hold None.
        return hvd.broadcast_object(value, root_rank=0, name="share_from_rank_0")

    def finish(self) -> None:
        """Wait for all, then shut Horovod down."""
        hvd.barrier()
        hvd.shutdown()


def _gather(value: Tensor, group: object = None) -> list[Tensor]:
    return hvd.allgather_object(value)


if __name__ == "__main__":
    worker.exit_now(worker.main(HorovodSteps()))

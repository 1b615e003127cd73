"""What turns a training script for one process into one for many: five steps, on torch.distributed.

They are the steps of Horovod (Sergeev and Del Balso, 2018, section 4), on which `strategies.horovod` takes them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from k2c.errors import K2CError
from k2c.parallel.workers.compression import add_compression, bucket_mib
from k2c.parallel.workers.rendezvous import Rendezvous
from k2c.training import Callback, Checkpoint

if TYPE_CHECKING:
    from torchmetrics import Metric

STEPS = ("initialise", "broadcast_weights", "average_gradients", "average_metrics", "checkpoint_on_rank_0")


class FiveSteps(ABC):
    """The five steps, and what else workers ask each other, on one library of exchange."""

    @abstractmethod
    def initialise(self, rendezvous: Rendezvous, time_limit: float) -> torch.device:
        """Step 1: meet the other workers, and take a device: a GPU of one's own, or the CPU.

        Parameters
        ----------
        rendezvous
            Which worker this is, and where the workers meet.
        time_limit
            Seconds that one exchange may take before it fails.

        Raises
        ------
        K2CError
            When the port to meet at is taken.
        """

    @abstractmethod
    def broadcast_weights(self, model: nn.Module) -> None:
        """Step 2: every worker starts from the weights (and batch statistics) of worker 0."""

    @abstractmethod
    def average_gradients(
        self, model: nn.Module, optimizer: Optimizer, compression: str, accumulate: int
    ) -> tuple[nn.Module, Optimizer]:
        """Step 3: let every step be made with the average of all workers' gradients.

        Parameters
        ----------
        model, optimizer
            With the same weights, and the same state, in every worker.
        compression
            How gradients travel; see `add_compression`.
        accumulate
            Backward passes before a step.

        Returns
        -------
        tuple
            What predicts and what makes the steps: `model` and `optimizer`, one of them wrapped.
        """

    @abstractmethod
    def average_metrics(self, sums: Sequence[float]) -> list[float]:
        """Step 4: return the sums over all workers, from which means over all examples follow exactly.

        An average of the workers' averages would be wrong as soon as their numbers of examples differ.
        """

    def checkpoint_on_rank_0(self, folder: Path, rank: int, monitor: str) -> list[Callback]:
        """Step 5: return the callback that writes checkpoints in worker 0, and none in the others."""
        return [Checkpoint(folder, monitor=monitor)] if rank == 0 else []

    @abstractmethod
    def share_metrics(self, metrics: "Iterable[Metric]") -> None:
        """Let torchmetrics add up over all workers."""

    @abstractmethod
    def weight_spread(self, model: nn.Module) -> float:
        """Return the largest difference that any weight has between two workers: 0 where they are one model."""

    @abstractmethod
    def same_everywhere(self, number: int) -> bool:
        """Tell whether all workers have the same whole number."""

    @abstractmethod
    def share_from_rank_0(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return worker 0's value in every worker."""

    @abstractmethod
    def finish(self) -> None:
        """Leave together, and let go of the connections."""


class TorchSteps(FiveSteps):
    """The five steps on torch.distributed: NCCL between GPUs, gloo between CPUs."""

    def initialise(self, rendezvous: Rendezvous, time_limit: float) -> torch.device:
        """Step 1, by a process group."""
        device = take_device(rendezvous.local_rank)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            rank=rendezvous.rank,
            world_size=rendezvous.world_size,
            timeout=timedelta(seconds=time_limit),
            init_method=rendezvous.init_method,
        )
        return device

    def broadcast_weights(self, model: nn.Module) -> None:
        """Step 2."""
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.data, src=0)

    def average_gradients(
        self, model: nn.Module, optimizer: Optimizer, compression: str, accumulate: int
    ) -> tuple[DistributedDataParallel, Optimizer]:
        """Step 3: wrap the model; one layer's gradients travel while earlier layers still compute theirs.

        Raises
        ------
        K2CError
            For a SyncBatchNorm on a CPU.
        """
        device = next(model.parameters()).device
        if device.type == "cpu" and any(isinstance(part, nn.SyncBatchNorm) for part in model.modules()):
            raise K2CError(
                "SyncBatchNorm exchanges batch statistics between GPUs only, and this worker has none. Use BatchNorm, "
                "with statistics of each worker's own batch, or GroupNorm, which has none."
            )
        replica = DistributedDataParallel(
            model,
            device_ids=[device] if device.type == "cuda" else None,
            bucket_cap_mb=bucket_mib(compression),
            gradient_as_bucket_view=True,  # gradients are where they are sent from, and need no copy
            init_sync=False,  # step 2 did it, and shall be seen
        )
        add_compression(replica, compression)
        return replica, optimizer

    def average_metrics(self, sums: Sequence[float]) -> list[float]:
        """Step 4."""
        total = torch.tensor(sums, dtype=torch.float64, device=_exchange_device())
        dist.all_reduce(total)
        return total.tolist()

    def share_metrics(self, metrics: "Iterable[Metric]") -> None:
        """Do nothing: over torch.distributed, torchmetrics adds up by itself."""

    def weight_spread(self, model: nn.Module) -> float:
        """Compare with the largest and the smallest of all workers."""
        weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
        most, least = weights.clone(), weights
        dist.all_reduce(most, dist.ReduceOp.MAX)
        dist.all_reduce(least, dist.ReduceOp.MIN)
        return (most - least).max().item()

    def same_everywhere(self, number: int) -> bool:
        """Compare the largest of all workers with the smallest."""
        both = torch.tensor([number, -number], dtype=torch.int64, device=_exchange_device())
        dist.all_reduce(both, dist.ReduceOp.MAX)
        return bool(both[0] == -both[1])

    def share_from_rank_0(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Send a Python object."""
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def finish(self) -> None:
        """Wait for all, then take the process group down."""
        dist.barrier()
        dist.destroy_process_group()


def take_device(local_rank: int) -> torch.device:
    """Return this worker's own GPU, or the CPU where there are not enough."""
    if not torch.cuda.is_available() or torch.cuda.device_count() <= local_rank:
        return torch.device("cpu")
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device


def _exchange_device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

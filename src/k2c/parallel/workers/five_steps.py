"""What turns a training script for one process into one for many: five steps, each a function here.

They are the steps of Horovod (Sergeev and Del Balso, 2018, section 4), on torch.distributed.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from k2c.errors import K2CError
from k2c.parallel.meet import method_of
from k2c.parallel.strategies.compression import add_compression, bucket_mib
from k2c.parallel.workers.place import Place
from k2c.training import Callback, Checkpoint, Learner

STEPS = ("initialise", "broadcast_weights", "average_gradients", "average_metrics", "checkpoint_on_rank_0")


def initialise(place: Place, time_limit: float) -> torch.device:
    """Step 1: meet the other workers, and take a device: a GPU of one's own, or the CPU.

    Parameters
    ----------
    place
        This worker's place.
    time_limit
        Seconds that one exchange may take before it fails.

    Returns
    -------
    torch.device
        Where this worker computes. Gradients travel over NCCL between GPUs and over gloo between CPUs.

    Raises
    ------
    K2CError
        When the port of worker 0 is taken.
    """
    device = take_device(place)
    try:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            rank=place.rank,
            world_size=place.world_size,
            timeout=timedelta(seconds=time_limit),
            init_method=method_of(place),
        )
    except dist.DistNetworkError as error:
        if "EADDRINUSE" in str(error) or "in use" in str(error):
            raise K2CError(
                f"Port {place.port} on {place.address} is taken by another program. Choose another one: set "
                "MASTER_PORT, or leave it out."
            ) from error
        raise
    return device


def take_device(place: Place) -> torch.device:
    """Return this worker's own GPU, or the CPU where there are not enough."""
    if not torch.cuda.is_available() or torch.cuda.device_count() <= place.local_rank:
        return torch.device("cpu")
    device = torch.device("cuda", place.local_rank)
    torch.cuda.set_device(device)
    return device


def broadcast_weights(model: nn.Module) -> None:
    """Step 2: every worker starts from the weights (and batch statistics) of worker 0."""
    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor.data, src=0)


def average_gradients(model: nn.Module, device: torch.device, compression: str = "none") -> nn.Module:
    """Step 3: wrap the model so that `backward` leaves the average of all workers' gradients in every worker.

    The exchange of one layer's gradients runs while earlier layers still compute theirs.

    Parameters
    ----------
    model
        The model, on `device`, with the same weights in every worker.
    device
        Where it is.
    compression
        How gradients travel; see `add_compression`.

    Raises
    ------
    K2CError
        For a SyncBatchNorm on a CPU.
    """
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
    return replica


def average_metrics(sums: Sequence[float]) -> list[float]:
    """Step 4: return the sums over all workers, from which means over all examples follow exactly.

    An average of the workers' averages would be wrong as soon as their numbers of examples differ.
    """
    total = torch.tensor(sums, dtype=torch.float64)
    if dist.is_initialized():
        total = total.to(_exchange_device())
        dist.all_reduce(total)
    return total.tolist()


def checkpoint_on_rank_0(folder: Path, rank: int, monitor: str) -> list[Callback]:
    """Step 5: return the callback that writes checkpoints in worker 0, and none in the others."""
    return [Checkpoint(folder, monitor=monitor)] if rank == 0 else []


def weight_spread(model: nn.Module) -> float:
    """Return the largest difference that any weight has between two workers: 0 where they are one model."""
    if not dist.is_initialized():
        return 0.0
    weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
    most, least = weights.clone(), weights
    dist.all_reduce(most, dist.ReduceOp.MAX)
    dist.all_reduce(least, dist.ReduceOp.MIN)
    return (most - least).max().item()


def same_everywhere(number: int) -> bool:
    """Tell whether all workers have the same whole number."""
    if not dist.is_initialized():
        return True
    both = torch.tensor([number, -number], dtype=torch.int64, device=_exchange_device())
    dist.all_reduce(both, dist.ReduceOp.MAX)
    return bool(both[0] == -both[1])


def share_from_rank_0(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return worker 0's value in every worker."""
    box = [value]
    if dist.is_initialized():
        dist.broadcast_object_list(box, src=0)
    return box[0]


def finish(learner: Learner | None = None) -> None:
    """Leave together, and let go of the connections."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def exit_now(status: int) -> None:
    """End this process at once.

    Python's own way out tears threads down that torch's exchange still uses, and now and then aborts there.
    """
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _exchange_device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

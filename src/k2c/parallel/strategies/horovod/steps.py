"""Four of the five steps on Horovod itself, under the names that `five_steps` has; the fifth needs no library."""

from collections.abc import Sequence
from typing import Any

import horovod.torch as hvd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from k2c.parallel.workers.five_steps import take_device
from k2c.parallel.workers.place import Place


def initialise(place: Place, time_limit: float) -> torch.device:
    """Step 1: meet the other workers, and take a device; Horovod has its own limits of time."""
    hvd.init()
    return take_device(place)


def broadcast_weights(model: nn.Module) -> None:
    """Step 2: every worker starts from the weights (and batch statistics) of worker 0."""
    hvd.broadcast_parameters(model.state_dict(), root_rank=0)


def average_gradients(
    optimizer: Optimizer, model: nn.Module, accumulate: int = 1, compression: str = "none"
) -> Optimizer:
    """Step 3: return the optimiser, wrapped so that each step is made with the average of all gradients.

    Parameters
    ----------
    optimizer
        What steps; what it has learnt so far is kept.
    model
        Whose parameters it changes.
    accumulate
        Backward passes before a step.
    compression
        How gradients travel: `"none"` or `"fp16"`.
    """
    wrapped = hvd.DistributedOptimizer(
        optimizer,
        named_parameters=model.named_parameters(),
        compression=getattr(hvd.Compression, compression),
        backward_passes_per_step=accumulate,
    )
    wrapped.load_state_dict(optimizer.state_dict())
    return wrapped


def average_metrics(sums: Sequence[float]) -> list[float]:
    """Step 4: return the sums over all workers, from which means over all examples follow exactly."""
    return _all_reduce(torch.tensor(sums, dtype=torch.float64), hvd.Sum).tolist()


def gather(value: Tensor, group: object = None) -> list[Tensor]:
    """Return a tensor of every worker; torchmetrics asks for this."""
    return hvd.allgather_object(value)


def weight_spread(model: nn.Module) -> float:
    """Return the largest difference that any weight has between two workers: 0 where they are one model."""
    weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
    return (_all_reduce(weights, hvd.Max) - _all_reduce(weights, hvd.Min)).max().item()


def same_everywhere(number: int) -> bool:
    """Tell whether all workers have the same whole number."""
    return len(set(hvd.allgather_object(number))) == 1


def share_from_rank_0(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return worker 0's value in every worker."""
    # With no name, Horovod takes that of the type, and would wait for ever for workers that hold None.
    return hvd.broadcast_object(value, root_rank=0, name="share_from_rank_0")


def finish() -> None:
    """Leave together, and let go of the connections."""
    hvd.barrier()
    hvd.shutdown()


def _all_reduce(numbers: Tensor, how: object) -> Tensor:
    return hvd.allreduce(numbers, op=how)

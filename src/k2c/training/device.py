"""Where training runs, and on how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from k2c.errors import K2CError


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Return `device`, or the fastest kind that is here: CUDA, then MPS (Apple), then CPU.

    Raises
    ------
    K2CError
        When the device that is asked for is not on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise K2CError(
            f"This machine has no device {str(device)!r}. Leave `device` out to use "
            f"{str(pick_device())!r}, the fastest one here."
        ) from error
    return chosen


def move(batch: Tensor, device: torch.device, channels_last: bool = False) -> Tensor:
    """Return `batch` on `device`; images (4 dimensions) channels-last when that is asked for."""
    if channels_last and batch.ndim == 4:
        return batch.to(device, non_blocking=True, memory_format=torch.channels_last)
    return batch.to(device, non_blocking=True)


def model_device(model: nn.Module) -> torch.device:
    """Return the device that the model's parameters are on (the CPU for a model with none)."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def is_channels_last(model: nn.Module) -> bool:
    """Tell whether the model's convolution weights are stored channels-last."""
    weights = (weight for weight in model.parameters() if weight.ndim == 4)
    return any(w.is_contiguous(memory_format=torch.channels_last) and not w.is_contiguous() for w in weights)


@contextmanager
def cpu_threads(n: int | None) -> Iterator[None]:
    """Let torch compute with `n` threads in a `with` block; None changes nothing.

    A small network has too little work for two threads: they wait for each other, and on a busy machine a training run
    takes twenty times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if n is None else n)
    try:
        yield
    finally:
        torch.set_num_threads(before)

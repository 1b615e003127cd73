"""Gradients that travel smaller: half precision, or a low-rank factorisation with error feedback."""

import math

from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from k2c.errors import K2CError, unknown

COMPRESSIONS = ("none", "fp16", "powersgd")
POWERSGD_RANK = 1
POWERSGD_START = 2  # PowerSGD may not begin in the first step, and exchanges everything until then


def check_compression(name: str) -> None:
    """Refuse a name that no compression has.

    Raises
    ------
    K2CError
        With the names there are.
    """
    if name not in COMPRESSIONS:
        raise K2CError(unknown("compression", name, COMPRESSIONS))


def bucket_mib(compression: str) -> int | None:
    """Return how many MiB of gradients are exchanged at a time; None leaves it to torch (25)."""
    return 1000 if compression == "powersgd" else None  # on gloo PowerSGD works with a single bucket only


def add_compression(replica: DistributedDataParallel, name: str) -> None:
    """Let a replica's gradients travel compressed.

    Parameters
    ----------
    replica
        The wrapped model.
    name
        `"none"`; `"fp16"`, half the bytes and 11 bits of every number; `"powersgd"`, a matrix of n x m
        gradients as two vectors, n + m numbers, with what is lost added to the next step's gradient
        (Vogels, Karimireddy and Jaggi, 2019).
    """
    check_compression(name)
    if name == "fp16":
        replica.register_comm_hook(None, default_hooks.fp16_compress_hook)
    if name == "powersgd":
        state = powerSGD_hook.PowerSGDState(
            None, matrix_approximation_rank=POWERSGD_RANK, start_powerSGD_iter=POWERSGD_START
        )
        replica.register_comm_hook(state, powerSGD_hook.powerSGD_hook)


def bytes_per_step(shapes: list[tuple[int, ...]], compression: str) -> int:
    """Return the bytes of float32 gradients that a worker hands to the exchange in one step.

    Parameters
    ----------
    shapes
        Of the model's parameters.
    compression
        One of `COMPRESSIONS`.
    """
    check_compression(compression)
    total = 0
    for shape in shapes:
        numbers = size = math.prod(shape)
        if compression == "powersgd" and len(shape) > 1:
            rows, columns = shape[0], size // max(shape[0], 1)
            factors = POWERSGD_RANK * (rows + columns)
            numbers = factors if 2 * factors < size else size  # torch compresses where that at least halves
        total += numbers * (2 if compression == "fp16" else 4)
    return total

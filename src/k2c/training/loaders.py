"""Batches from tensors that fit in memory."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from k2c.errors import K2CError

_SEED_STRIDE = 1_000_003  # a prime above any plausible number of epochs keeps (seed, epoch) pairs apart


class InMemoryLoader:
    """Batches cut out of whole tensors: `inputs[indices], targets[indices]`, one indexing call a batch.

    An ordinary `DataLoader` fetches example by example and then stacks them; for data that fits in memory,
    two indexing operations do the same. The order of an epoch depends on `(seed, epoch)` alone, so it is the
    same after a resume, whatever else draws random numbers.

    Parameters
    ----------
    inputs, targets
        Tensors with the same first dimension. They may be on a GPU.
    batch_size
        Examples per batch; the last batch of an epoch may be smaller.
    shuffle
        Whether every epoch has its own order. Without it, the tensors' order.
    seed
        Chooses the orders.
    transform
        Applied to the inputs of each batch, after indexing; a random one draws from torch's global generator.
    drop_last
        Whether to leave out a last batch that is too small.

    Raises
    ------
    K2CError
        When the tensors have different lengths or the batch size is not positive.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        transform: Callable[[Tensor], Tensor] | None = None,
        drop_last: bool = False,
    ) -> None:
        if len(inputs) != len(targets):
            raise K2CError(
                f"There are {len(inputs):,} inputs and {len(targets):,} targets. Give one target an input."
            )
        if batch_size < 1:
            raise K2CError(f"batch_size is {batch_size}. It must be 1 or more.")
        self.inputs, self.targets = inputs, targets
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.transform, self.drop_last = transform, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's order comes next (`fit` does; on its own, each pass moves on by one)."""
        self.epoch = epoch

    def order(self, epoch: int) -> Tensor:
        """Return the indices of all examples, int64, in the order of `epoch`."""
        if not self.shuffle:
            return torch.arange(len(self.inputs))
        generator = torch.Generator().manual_seed(self.seed * _SEED_STRIDE + epoch)
        return torch.randperm(len(self.inputs), generator=generator)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.inputs), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.order(self.epoch).to(self.inputs.device)
        self.epoch += 1
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            indices = order[start : start + self.batch_size]
            inputs = self.inputs[indices]
            if self.transform is not None:
                inputs = self.transform(inputs)
            yield inputs, self.targets[indices.to(self.targets.device)]

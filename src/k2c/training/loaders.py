"""Batches from tensors that fit in memory, and which examples an epoch sees when classes differ in size."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from k2c.errors import K2CError
from k2c.training.losses import as_array, count_classes

_SEED_STRIDE = 1_000_003  # a prime above any plausible number of epochs keeps (seed, epoch) pairs apart
_STREAM = 7  # keeps the draws of classes apart from other generators made of the same seed and epoch


def epoch_order(n_examples: int, epoch: int, seed: int, shuffle: bool = True) -> Tensor:
    """Return the order of an epoch, int64 (n_examples,): the same in every process, whatever ran before."""
    if not shuffle:
        return torch.arange(n_examples)
    return torch.randperm(n_examples, generator=torch.Generator().manual_seed(seed * _SEED_STRIDE + epoch))


class InMemoryLoader:
    """Batches cut out of whole tensors: `inputs[indices], targets[indices]`, one indexing call per batch.

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
    ) -> None:
        if len(inputs) != len(targets):
            raise K2CError(
                f"There are {len(inputs):,} inputs and {len(targets):,} targets. Give one target an input."
            )
        if batch_size < 1:
            raise K2CError(f"batch_size is {batch_size}. It must be 1 or more.")
        self.inputs, self.targets = inputs, targets
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.transform, self.epoch = transform, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's order comes next (`fit` does; on its own, each pass moves on by one)."""
        self.epoch = epoch

    def order(self, epoch: int) -> Tensor:
        """Return the indices of all examples, int64, in the order of `epoch`."""
        return epoch_order(len(self.inputs), epoch, self.seed, self.shuffle)

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.order(self.epoch).to(self.inputs.device)
        self.epoch += 1
        for indices in order.split(self.batch_size):
            inputs = self.inputs[indices]
            if self.transform is not None:
                inputs = self.transform(inputs)
            yield inputs, self.targets[indices.to(self.targets.device)]


class BalancedLoader(InMemoryLoader):
    """Batches from tensors in memory, with equally many examples of every class, drawn anew for every epoch.

    An epoch stays as long as it was. A class that is larger than its part gives another part of itself each epoch;
    a smaller one gives all of itself, several times if need be, and no example is given twice before every other one
    of its class was given once. The draw depends on `(seed, epoch)` alone, so a resumed run sees what it would have
    seen.

    Parameters
    ----------
    inputs, targets
        Tensors with the same first dimension; the targets are the classes, int64 (N,).
    batch_size
        Examples per batch.
    seed
        Chooses the draws.
    transform
        Applied to the inputs of each batch; see `InMemoryLoader`.

    Raises
    ------
    K2CError
        When a class has no example.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        batch_size: int,
        seed: int = 0,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(inputs, targets, batch_size, True, seed, transform)
        classes = as_array(targets)
        self.members = [np.flatnonzero(classes == label) for label in range(len(count_classes(targets)))]

    def order(self, epoch: int) -> Tensor:
        """Return the indices of an epoch, int64 (n,), as many of each class: n is N but for what does not divide."""
        generator = np.random.default_rng((self.seed, epoch, _STREAM))
        wanted = max(len(self.targets) // len(self.members), 1)
        drawn = [_draw(members, wanted, generator) for members in self.members]
        return torch.from_numpy(generator.permutation(np.concatenate(drawn)))

    def __len__(self) -> int:
        return -(-len(self.members) * max(len(self.targets) // len(self.members), 1) // self.batch_size)


def _draw(members: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    rounds = -(-wanted // len(members))
    return np.concatenate([generator.permutation(members) for _ in range(rounds)])[:wanted]

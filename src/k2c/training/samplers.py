"""Which examples an epoch sees, when the classes are of very different size."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from k2c.errors import K2CError
from k2c.training.loaders import InMemoryLoader
from k2c.training.losses import as_array, count_classes

_STREAM = 7  # keeps these draws apart from other numpy generators made of the same seed and epoch


class BalancedSampler(Sampler[int]):
    """Indices of equally many examples of every class, drawn anew for every epoch.

    A class that is larger than its part gives another part of itself each epoch; a smaller one gives all of
    itself, several times if need be, and no example is given twice before every other one of its class was given
    once. The draw depends on `(seed, epoch)` alone, so a resumed run sees what it would have seen.

    Parameters
    ----------
    labels
        The class of each example, whole numbers from 0, shape (N,).
    per_class
        Examples of each class in an epoch; where it is left out, N / n_classes: an epoch stays as long as it was.
    seed
        Chooses the draws.
    n_classes
        The number of classes.

    Raises
    ------
    K2CError
        When a class has no example or `per_class` is not positive.
    """

    def __init__(self, labels: Any, per_class: int | None = None, seed: int = 0, n_classes: int = 2) -> None:
        counts = count_classes(labels, n_classes)
        values = as_array(labels)
        self.members = [np.flatnonzero(values == label) for label in range(n_classes)]
        self.per_class = max(int(counts.sum()) // n_classes, 1) if per_class is None else per_class
        if self.per_class < 1:
            raise K2CError(f"per_class is {per_class}. It must be 1 or more.")
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's draw comes next (`fit` does; on its own, each pass moves on by one)."""
        self.epoch = epoch

    def order(self, epoch: int) -> Tensor:
        """Return the indices of an epoch in their order, int64 (n_classes * per_class,)."""
        generator = np.random.default_rng((self.seed, epoch, _STREAM))
        drawn = [self._draw(members, generator) for members in self.members]
        return torch.from_numpy(generator.permutation(np.concatenate(drawn)))

    def __len__(self) -> int:
        return self.per_class * len(self.members)

    def __iter__(self) -> Iterator[int]:
        order = self.order(self.epoch)
        self.epoch += 1
        return iter(order.tolist())

    def _draw(self, members: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        rounds = -(-self.per_class // len(members))
        shuffled = [generator.permutation(members) for _ in range(rounds)]
        return np.concatenate(shuffled)[: self.per_class]


class BalancedLoader(InMemoryLoader):
    """Batches from tensors in memory, with equally many examples of every class in each epoch.

    Parameters
    ----------
    inputs, targets
        Tensors with the same first dimension; the targets are the classes, int64 (N,).
    batch_size
        Examples per batch.
    per_class
        Examples of each class in an epoch; see `BalancedSampler`.
    seed
        Chooses the draws.
    transform
        Applied to the inputs of each batch; see `InMemoryLoader`.
    drop_last
        Whether to leave out a last batch that is too small.
    n_classes
        The number of classes.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        batch_size: int,
        per_class: int | None = None,
        seed: int = 0,
        transform: Callable[[Tensor], Tensor] | None = None,
        drop_last: bool = False,
        n_classes: int = 2,
    ) -> None:
        super().__init__(inputs, targets, batch_size, True, seed, transform, drop_last)
        self.sampler = BalancedSampler(targets, per_class, seed, n_classes)

    def order(self, epoch: int) -> Tensor:
        """Return the indices of an epoch in their order, int64."""
        return self.sampler.order(epoch)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

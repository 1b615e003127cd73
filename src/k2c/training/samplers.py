"""Which examples an epoch sees, when the classes are of very different size."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from k2c.training.loaders import InMemoryLoader
from k2c.training.losses import as_array, count_classes

_STREAM = 7  # keeps these draws apart from other numpy generators made of the same seed and epoch


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

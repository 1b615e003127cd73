"""Which worker trains on which examples: each example once per epoch, none dropped, a part for every worker."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from k2c.errors import K2CError
from k2c.training.loaders import epoch_order


@dataclass(frozen=True)
class Shard:
    """One worker's part of one batch.

    Attributes
    ----------
    indices
        Numbers of the examples, int64 (n,).
    count
        How many of them count: n, or 0 where there was nothing left for this worker, which then computes one
        example with weight 0, so that it still takes part in the exchange.
    weight
        What the mean loss of this shard is multiplied by, so that the *average over the workers* of the
        gradients is the gradient of the mean over the whole batch, also when the shards differ in size.
    closes_step
        Whether the optimiser steps after this shard (the last of the accumulated ones).
    """

    indices: Tensor
    count: int
    weight: float
    closes_step: bool


def shard(order: Tensor, rank: int, world_size: int, batch_size: int, accumulate: int = 1) -> list[Shard]:
    """Return a worker's shards of an epoch.

    Batches of `batch_size * world_size` examples are cut from `order`; each is split evenly, and the last,
    smaller one too. `accumulate` of them make a step.

    Parameters
    ----------
    order
        Numbers of the examples, int64 (N,).
    rank, world_size
        Which worker, of how many.
    batch_size
        Examples that a worker takes at a time.
    accumulate
        Batches whose gradients are added up before a step.
    """
    shards = []
    for step in order.split(batch_size * world_size * accumulate):
        batches = step.split(batch_size * world_size)
        for number, batch in enumerate(batches):
            mine = batch.tensor_split(world_size)[rank]
            shards.append(
                Shard(
                    indices=mine if len(mine) else batch[:1],
                    count=len(mine),
                    weight=len(mine) * world_size / len(step),
                    closes_step=number == len(batches) - 1,
                )
            )
    return shards


class ShardedLoader:
    """One worker's training batches. `shard` is the one that was yielded last.

    Parameters
    ----------
    examples
        A map-style data set; a `TensorDataset` is indexed with whole batches.
    rank, world_size, batch_size, accumulate
        See `shard`.
    shuffle, seed
        See `k2c.training.loaders.epoch_order`.
    transform
        Applied to the inputs of a batch.
    fixed
        Whether every epoch has the order of the first, so that a worker always meets the same examples.
    """

    def __init__(
        self,
        examples: Any,
        rank: int,
        world_size: int,
        batch_size: int,
        accumulate: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        transform: Callable[[Tensor], Tensor] | None = None,
        fixed: bool = False,
    ) -> None:
        self.examples, self.rank, self.world_size = examples, rank, world_size
        self.batch_size, self.accumulate = batch_size, accumulate
        self.shuffle, self.seed, self.transform = shuffle, seed, transform
        self.epoch, self.fixed = 0, fixed
        self.shard = Shard(torch.empty(0, dtype=torch.int64), 0, 0.0, True)
        if not len(examples):
            raise K2CError("There is no training example. Give at least one.")

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.examples) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = epoch_order(len(self.examples), 0 if self.fixed else self.epoch, self.seed, self.shuffle)
        shards = shard(order, self.rank, self.world_size, self.batch_size, self.accumulate)
        self.epoch += 1
        batches = batches_of(self.examples, [each.indices for each in shards])
        for self.shard, (inputs, targets) in zip(shards, batches, strict=True):
            yield (inputs if self.transform is None else self.transform(inputs)), targets


def validation_part(n_examples: int, rank: int, world_size: int) -> Tensor:
    """Return the numbers of the validation examples that a worker measures, int64; every one has one worker.

    Raises
    ------
    K2CError
        When a worker would get none.
    """
    if n_examples < world_size:
        raise K2CError(
            f"There are {n_examples} validation examples for {world_size} workers. Use at most {n_examples} "
            "workers, or more examples."
        )
    return torch.arange(n_examples).tensor_split(world_size)[rank]


def batches_of(examples: Any, batches: list[Tensor]) -> DataLoader[Any]:
    """Return a loader of the batches with the given numbers. It draws from no global random generator."""
    numbers: list[Any] = [batch.tolist() for batch in batches]
    how: dict[str, Any] = {"batch_sampler": numbers}
    if isinstance(examples, TensorDataset):  # one indexing operation per batch, instead of one per example
        how = {"batch_size": None, "sampler": batches}
    return DataLoader(examples, generator=torch.Generator(), **how)

"""Spark without a connection between the tasks: gradients meet in a shuffle, in slices.

Every iteration is two short Spark jobs' worth of tasks without a state: the weights are broadcast; each partition
computes the gradient of its part of the batch and cuts it into slices; a shuffle brings slice k of all partitions
together, where they are summed; the driver makes the step. A task that dies is simply run again.

BigDL (Dai et al., 2019) shuffles slices of the gradient in the same way, but there the owner of slice k also updates
slice k of the weights, and the tasks fetch the new slices from their owners: nothing passes through the driver.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyspark import RDD
from torch.utils.data import TensorDataset

from k2c.parallel.job import Experiment, Job
from k2c.parallel.sharding import shard
from k2c.parallel.strategies.spark.strategy import SparkOptions
from k2c.parallel.workers.learner import ReplicaLearner, Worker, seed_stream
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.replica import train_replica
from k2c.parallel.workers.worker import in_words
from k2c.training.loaders import epoch_order

# A worker's number, and the numbers, inputs and targets of its examples.
Partition = tuple[int, NDArray[np.int64], NDArray[Any], NDArray[Any]]

_built: dict[str, tuple[Experiment, Messenger]] = {}  # of this task process, by the run's folder


def train_by_shuffle(
    folder: Path, job: Job, options: SparkOptions, workers: int, partitions: "RDD[Partition]",
    messenger: Messenger,
) -> None:  # fmt: skip
    """Train in the driver, which is the only learner; its gradients come from the partitions."""

    def use_numbers(made: Experiment) -> None:
        numbers, make = torch.arange(len(made.train)), made.optimizer
        made.train, made.partitioned, made.transform = TensorDataset(numbers, numbers), True, None
        made.batch_size *= workers

        def scaled(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
            optimizer = make(parameters)
            for group in optimizer.param_groups:
                group["lr"] *= options.rate_factor(workers)
            return optimizer

        made.optimizer = scaled

    driver = Worker(folder, job, options, 0, 1, messenger)
    train_replica(driver, use_numbers, partial(ShuffleLearner, workers, partitions))


class ShuffleLearner(ReplicaLearner):
    """The learner that lets partitions compute its gradients.

    Parameters
    ----------
    workers, partitions
        How many partitions there are, and the examples in them.
    """

    def __init__(self, workers: int, partitions: "RDD[Partition]", *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._workers, self._partitions = workers, partitions

    def predict(self) -> None:
        """Leave it to the partitions: the batch holds numbers of examples only."""

    def get_loss(self) -> None:
        """Let the partitions compute the loss and the gradient of this batch."""
        context = self._partitions.context
        state = {name: value.numpy() for name, value in self.model.state_dict().items()}
        weights = context.broadcast(state)
        task = _Gradient(
            str(self.worker.folder), self.worker.job.to_json(), self._workers,
            self.shards.batch_size // self._workers, self.worker.options.accumulate, weights, self.epoch, self.batch,
        )  # fmt: skip
        reduced = dict(self._partitions.mapPartitions(task).reduceByKey(add, self._workers).collect())
        weights.destroy()
        count = self.shards.shard.count
        self.loss = torch.tensor(reduced["loss"] / count)
        self._gradient = torch.from_numpy(np.concatenate([reduced[k] for k in range(self._workers)])) / count
        own = dict(self.model.named_buffers())
        for name, value in reduced["buffers"].items():
            own[name].copy_(torch.from_numpy(np.asarray(value)))
        self.loss_sum = self.loss_sum + reduced["loss"]
        self.examples += count

    def backward(self) -> None:
        """Hand the slices, put together, to the parameters."""
        self.pulse()
        start = 0
        for parameter in self.model.parameters():
            piece = self._gradient[start : start + parameter.numel()].view_as(parameter)
            piece = piece * self.shards.shard.weight
            parameter.grad = piece if parameter.grad is None else parameter.grad + piece
            start += parameter.numel()


class _Gradient:
    """The task on a partition. Spark pickles it, so it holds plain values."""

    def __init__(
        self, folder: str, job: dict[str, Any], workers: int, batch_size: int, accumulate: int, weights: Any,
        epoch: int, batch: int,
    ) -> None:  # fmt: skip
        self.folder, self.job, self.workers, self.batch_size = folder, job, workers, batch_size
        self.accumulate, self.weights, self.epoch, self.batch = accumulate, weights, epoch, batch

    def __call__(self, rows: Iterable[Partition]) -> Iterator[tuple[Any, Any]]:
        """Give (slice number, slice of the summed gradient), the summed loss, and worker 0's buffers."""
        rank, numbers, inputs, targets = next(iter(rows))
        made, messenger = self._build(rank)
        try:
            return iter(self._compute(made, messenger, rank, numbers, inputs, targets))
        except Exception as error:
            messenger.event("error", message=in_words(error), details="")
            raise

    def _compute(
        self, made: Experiment, messenger: Messenger, rank: int, numbers: NDArray[np.int64],
        inputs: NDArray[Any], targets: NDArray[Any],
    ) -> list[tuple[Any, Any]]:  # fmt: skip
        order = epoch_order(len(made.train), 0, made.seed, made.shuffle)
        shards = shard(order, rank, self.workers, self.batch_size, self.accumulate)
        part = shards[self.batch]
        messenger.pulse(self.epoch, self.batch, len(shards))
        model = made.model
        model.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in self.weights.value.items()})
        if not part.count:
            flat = np.zeros(
                sum(p.numel() for p in model.parameters()), next(model.parameters()).detach().numpy().dtype
            )
            return [*enumerate(np.array_split(flat, self.workers)), ("loss", 0.0)]
        here = np.searchsorted(numbers, part.indices.numpy(), sorter=np.argsort(numbers))
        here = np.argsort(numbers)[here]
        seed_stream(made.seed, rank, 1 + self.epoch * len(shards) + self.batch)
        batch = torch.from_numpy(inputs[here])
        batch = batch if made.transform is None else made.transform(batch)
        model.train()
        model.zero_grad()
        loss = made.loss(model(batch), torch.from_numpy(targets[here])) * part.count
        loss.backward()
        messenger.pulse(self.epoch, self.batch, len(shards), loss.item() / part.count)
        return [*self._slices(list(model.parameters())), ("loss", loss.item()), *_buffers(model, rank)]

    def _slices(self, parameters: Sequence[torch.nn.Parameter]) -> Iterator[tuple[int, NDArray[Any]]]:
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        return enumerate(np.array_split(flat.numpy(), self.workers))

    def _build(self, rank: int) -> tuple[Experiment, Messenger]:
        """Return this process's experiment; Spark keeps the process for the next iteration."""
        if self.folder not in _built:
            messenger = Messenger(Path(self.folder) / "messages", rank)
            messenger.event("start", pid=os.getpid())
            torch.set_num_threads(1)
            _built[self.folder] = Job.from_json(self.job).build(), messenger
        return _built[self.folder]


def _buffers(model: torch.nn.Module, rank: int) -> list[tuple[str, dict[str, Any]]]:
    """Return batch statistics and the like, of worker 0 alone."""
    return [("buffers", {name: b.numpy() for name, b in model.named_buffers()})] if rank == 0 else []

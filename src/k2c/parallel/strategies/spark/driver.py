"""Spark's side of `spark`: `python -m k2c.parallel.strategies.spark.driver FOLDER WORKERS` is the driver.

1. Each worker's examples become a partition, cached in Spark's memory.
2. A barrier stage runs a task on every partition at the same time; the tasks tell each other where to meet.
3. In the tasks, torch.distributed broadcasts the first weights and averages gradients in every step.

That is `scheme="barrier"`; with `"shuffle"`, Spark's own shuffle sums the gradients of the partitions.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from pyspark import RDD, BarrierTaskContext, SparkConf, SparkContext
from pyspark.daemon import manager
from torch import Tensor
from torch.utils.data import TensorDataset

from k2c._system.forkserver import can_fork, substitute
from k2c.parallel.job import Experiment
from k2c.parallel.sharding import batches_of, shard
from k2c.parallel.strategies.spark.shuffle import Partition, train_by_shuffle
from k2c.parallel.strategies.spark.strategy import SparkOptions
from k2c.parallel.workers import worker
from k2c.parallel.workers.five_steps import TorchSteps
from k2c.parallel.workers.lifeline import LIFELINE, end_with_parent
from k2c.parallel.workers.messages import DRIVER, Messenger
from k2c.parallel.workers.rendezvous import Rendezvous, free_port
from k2c.training.loaders import epoch_order


class PartitionExamples(TensorDataset):
    """The examples of one partition, under the numbers that they have among all.

    Parameters
    ----------
    numbers
        Of the examples that are here, int64 (n,).
    inputs, targets
        The examples.
    total
        How many there are in all partitions.
    """

    def __init__(self, numbers: Tensor, inputs: Tensor, targets: Tensor, total: int) -> None:
        super().__init__(inputs, targets)
        self._total = total
        # A number of another partition (asked for with weight 0, where nothing is left here) gives the first.
        self._place = torch.zeros(total, dtype=torch.int64)
        self._place[numbers] = torch.arange(len(numbers))

    def __len__(self) -> int:
        return self._total

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return super().__getitem__(self._place[index])


def main() -> int:
    """Be the driver; returns the exit status."""
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    if can_fork():  # Spark forks its tasks from a fork of this process, made before there are threads
        os.environ[substitute.SOCKET] = substitute.serve(manager)
    end_with_parent()
    os.environ[LIFELINE] = "0"  # the tasks are Spark's children, which ends them
    messenger = Messenger(folder / "messages", DRIVER)

    def work() -> None:
        job, options = worker.read_run(folder, SparkOptions)
        made = job.build()
        spark = _context(folder, workers, options)
        partitions = spark.parallelize(list(split(made, workers, options)), workers).cache()
        partitions.count()  # into the cache, before the first task asks
        if options.scheme == "shuffle":
            train_by_shuffle(folder, job, options, workers, partitions, messenger)
            for rank in range(workers):
                Messenger(folder / "messages", rank).event("done")
        else:
            _train_in_barrier(folder, workers, partitions, len(made.train))
        spark.stop()

    return worker.report_on(messenger, work)


def _context(folder: Path, workers: int, options: SparkOptions) -> SparkContext:
    tries = options.max_restarts + 1
    configuration = (
        SparkConf()
        .setMaster(f"local[{workers},{tries}]")
        .setAppName("k2c")
        .set("spark.ui.enabled", "false")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.python.worker.reuse", str(options.scheme == "shuffle").lower())
        .set("spark.stage.maxConsecutiveAttempts", str(tries))
        .set("spark.local.dir", str(folder / "spark"))
    )
    if can_fork():
        configuration.set("spark.python.daemon.module", substitute.__name__)
    spark = SparkContext(conf=configuration)
    spark.setLogLevel("ERROR")
    return spark


def _train_in_barrier(folder: Path, workers: int, partitions: "RDD[Partition]", total: int) -> None:
    # Spark tries a barrier stage again only if another follows, so the ranks go through a shuffle.
    task = _Task(str(folder), total, workers)
    partitions.barrier().mapPartitions(task).repartition(1).collect()


def split(made: Experiment, workers: int, options: SparkOptions) -> Iterator[Partition]:
    """Return each worker's partition: what `shard` gives it in the order of the first epoch."""
    order = epoch_order(len(made.train), 0, made.seed, made.shuffle)
    for rank in range(workers):
        shards = shard(order, rank, workers, made.batch_size, options.accumulate)
        numbers = torch.cat([each.indices[: each.count] for each in shards])
        if not len(numbers):  # fewer examples than workers: one to compute with, which never counts
            numbers = order[:1]
        inputs, targets = next(iter(batches_of(made.train, [numbers])))
        yield rank, numbers.numpy(), inputs.numpy(), targets.numpy()


class _Task:
    """What runs on a partition in barrier mode. Spark pickles it, so it holds plain values."""

    def __init__(self, folder: str, total: int, workers: int) -> None:
        self.folder, self.total, self.workers = folder, total, workers

    def __call__(self, rows: Iterable[Partition]) -> Iterator[int]:
        """Train on the partition, and give the rank."""
        context = BarrierTaskContext.get()
        folder = Path(self.folder)
        rank, numbers, inputs, targets = next(iter(rows))
        messenger = Messenger(folder / "messages", rank, context.attemptNumber())
        ports = dict(map(json.loads, context.allGather(json.dumps([rank, free_port()]))))
        rendezvous = Rendezvous(rank, self.workers, 0, ports[0])
        examples = PartitionExamples(
            torch.from_numpy(numbers), torch.from_numpy(inputs), torch.from_numpy(targets), self.total
        )

        def use_partition(made: Experiment) -> None:
            made.train, made.partitioned = examples, True

        def train() -> None:
            worker.all_reduce(folder, rendezvous, messenger, TorchSteps(), use_partition)

        if worker.report_on(messenger, train):
            raise RuntimeError(f"worker {rank} failed")  # Spark tries again
        yield rank


if __name__ == "__main__":
    # As a module of the package: what is pickled from __main__ does not arrive in the tasks.
    from k2c.parallel.strategies.spark import driver as spark_driver

    worker.exit_now(spark_driver.main())

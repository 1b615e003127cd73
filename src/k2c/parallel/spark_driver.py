"""Spark's side of `spark`: `python -m k2c.parallel.spark_driver FOLDER WORKERS` is the driver.

1. Each worker's examples become a partition, cached in Spark's memory.
2. A barrier stage runs a task on every partition at the same time; the tasks tell each other where to meet.
3. In the tasks, torch.distributed broadcasts the first weights and averages gradients in every step.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyspark import BarrierTaskContext, SparkConf, SparkContext
from torch import Tensor
from torch.utils.data import TensorDataset

from k2c.atomic import atomic_path
from k2c.parallel import five_steps
from k2c.parallel.all_reduce import free_port
from k2c.parallel.job import Experiment, Job
from k2c.parallel.messages import LIFELINE, Messenger
from k2c.parallel.place import Place
from k2c.parallel.replica import train_replica
from k2c.parallel.sharding import epoch_order, fetch, shard
from k2c.parallel.spark import SparkOptions
from k2c.parallel.worker import hold_lifeline, in_words, is_lost_connection

# A worker's number, and the numbers, inputs and targets of its examples.
Partition = tuple[int, NDArray[np.int64], NDArray[Any], NDArray[Any]]


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


def main() -> None:
    """Be the driver."""
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    hold_lifeline()
    os.environ[LIFELINE] = "0"  # the tasks are Spark's children, which ends them
    run = json.loads((folder / "run.json").read_text())
    options = SparkOptions(**run["options"])
    made = Job.from_json(run["job"]).build()
    configuration = (
        SparkConf()
        .setMaster(f"local[{workers},{options.max_restarts + 1}]")
        .setAppName("k2c")
        .set("spark.ui.enabled", "false")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.python.worker.reuse", "false")
        .set("spark.stage.maxConsecutiveAttempts", str(options.max_restarts + 1))
        .set("spark.local.dir", str(folder / "spark"))
    )
    spark = SparkContext(conf=configuration)
    spark.setLogLevel("ERROR")
    partitions = spark.parallelize(list(split(made, workers, options)), workers).cache()
    partitions.count()  # into the cache, before the first task asks
    task = _Task(str(folder), run, len(made.train), workers)
    # Spark tries a barrier stage again only if another follows, so the histories go through a shuffle.
    histories = partitions.barrier().mapPartitions(task).repartition(1).collect()
    history = next(text for rank, text in histories if rank == 0)
    with atomic_path(folder / "history.json") as part:
        part.write_text(history)
    for rank in range(workers):
        Messenger(folder / "messages", rank).event("done")
    spark.stop()
    five_steps.exit_now(0)


def split(made: Experiment, workers: int, options: SparkOptions) -> Iterator[Partition]:
    """Return each worker's partition: what `shard` gives it in the order of the first epoch."""
    order = epoch_order(len(made.train), 0, made.seed, made.shuffle)
    for rank in range(workers):
        parts = shard(order, rank, workers, made.batch_size, options.accumulate)
        numbers = torch.cat([part.indices[: part.count] for part in parts])
        if not len(numbers):  # fewer examples than workers: one to compute with, which never counts
            numbers = order[:1]
        inputs, targets = next(iter(fetch(made.train, [numbers])))
        yield rank, numbers.numpy(), inputs.numpy(), targets.numpy()


class _Task:
    """What runs on a partition. Spark pickles it, so it holds plain values."""

    def __init__(self, folder: str, run: dict[str, Any], total: int, workers: int) -> None:
        self.folder, self.run, self.total, self.workers = folder, run, total, workers

    def __call__(self, rows: Iterable[Partition]) -> Iterator[tuple[int, str]]:
        """Train on the partition, and give (rank, history as text)."""
        context = BarrierTaskContext.get()
        folder = Path(self.folder)
        rank, numbers, inputs, targets = next(iter(rows))
        messenger = Messenger(folder / "messages", rank, context.attemptNumber())
        messenger.event("start", pid=os.getpid())
        here = context.getTaskInfos()[context.partitionId()].address.split(":")[0]
        mine = json.dumps([rank, here, free_port()])
        meeting = {r: (address, port) for r, address, port in map(json.loads, context.allGather(mine))}
        place = Place(rank, self.workers, 0, *meeting[0], "spark")
        examples = PartitionExamples(
            torch.from_numpy(numbers), torch.from_numpy(inputs), torch.from_numpy(targets), self.total
        )

        def use_partition(made: Experiment) -> None:
            made.train, made.partitioned = examples, True

        try:
            options = SparkOptions(**self.run["options"])
            torch.set_num_threads(options.threads)
            device = five_steps.initialise(place, 2 * options.time_limit + 60)
            job = Job.from_json(self.run["job"])
            history = train_replica(
                job, options, rank, self.workers, device, folder, messenger, use_partition
            )
            five_steps.finish()
        except Exception as error:
            messenger.event(
                "lost" if is_lost_connection(error) else "error", message=in_words(error), details=""
            )
            raise
        yield rank, history.to_json()


if __name__ == "__main__":
    # As a module of the package: what is pickled from __main__ does not arrive in the tasks.
    from k2c.parallel import spark_driver

    spark_driver.main()

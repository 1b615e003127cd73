"""The learner of `k2c.training` as one of several workers: who it is, what a step does, what it reports."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from k2c.parallel.job import Job
from k2c.parallel.sharding import ShardedLoader
from k2c.parallel.workers.five_steps import FiveSteps, TorchSteps
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.options import AllReduceOptions
from k2c.training import Callback, Learner


@dataclass
class Worker:
    """One worker of a run.

    Attributes
    ----------
    folder
        The run's: holds `checkpoints` and, at the end, `history.json`.
    job, options
        What is trained, and how.
    rank, world_size
        Which worker this is, of how many; with more than one, `steps` are initialised.
    messenger
        Takes its reports.
    device
        Where it computes.
    steps
        How it exchanges gradients and all else.
    """

    folder: Path
    job: Job
    options: AllReduceOptions
    rank: int
    world_size: int
    messenger: Messenger
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    steps: FiveSteps = field(default_factory=TorchSteps)

    def takes(self, step: str) -> bool:
        """Tell whether there are others to take one of the five steps with, and it is not skipped."""
        return self.world_size > 1 and step not in self.options.skip


class ReplicaLearner(Learner):
    """The learner, where the backward pass averages over all workers, and several batches may make one step.

    Parameters
    ----------
    worker
        Which one this is.
    model, train
        What is saved and validated, and this worker's batches.

    Attributes
    ----------
    replica
        What predicts: `model`, or what step 3 made of it.
    """

    def __init__(
        self, worker: Worker, model: nn.Module, train: ShardedLoader, *args: Any, **named: Any
    ) -> None:
        super().__init__(model, train, *args, **named)
        self.worker, self.shards = worker, train
        self.replica = model
        self.loss_sum: Tensor | float = 0.0  # of this worker, in this epoch
        self.examples = 0

    def connect(self) -> None:
        """Get ready to exchange gradients, when the first (or the resumed) weights are in."""
        if self.worker.takes("average_gradients"):
            options = self.worker.options
            self.replica, self.optimizer = self.worker.steps.average_gradients(
                self.model, self.optimizer, options.compression, options.accumulate
            )

    def predict(self) -> None:
        """Put the batch through the replica; say first whether its gradients are exchanged yet."""
        self.replica.require_backward_grad_sync = self.shards.shard.closes_step  # type: ignore[assignment]
        model, self.model = self.model, self.replica
        try:
            super().predict()
        finally:
            self.model = model

    def get_loss(self) -> None:
        """Compare, and add the loss up over the examples that count."""
        super().get_loss()
        count = self.shards.shard.count
        self.loss_sum = self.loss.detach().double() * count + self.loss_sum
        self.examples += count

    def backward(self) -> None:
        """Compute the gradients, each worker's weighted by its fraction of the batch."""
        self.pulse()
        (self.loss * self.shards.shard.weight).backward()

    def pulse(self, loss: float = float("nan")) -> None:
        """Tell the parent where this worker is: three times per batch, so that it sees who waits for whom."""
        self.worker.messenger.pulse(self.epoch, self.batch, len(self.shards), loss)

    def step(self) -> None:
        """Step when the last shard's gradients are in."""
        if self.shards.shard.closes_step:
            super().step()

    def zero_grad(self) -> None:
        """Forget the gradients after a step."""
        if self.shards.shard.closes_step:
            super().zero_grad()


class WorkerCallback(Callback):
    """A callback that only a `ReplicaLearner` has."""

    @staticmethod
    def replica(learner: Learner) -> ReplicaLearner:
        """Return the learner as what it is."""
        assert isinstance(learner, ReplicaLearner)
        return learner


class AverageMetrics(WorkerCallback):
    """Step 4 of the five, after every epoch: losses become means over all workers' examples."""

    order = -100  # before any callback that looks at the row

    def before_epoch(self, learner: Learner) -> None:
        """Start adding up."""
        self.replica(learner).loss_sum, self.replica(learner).examples = 0.0, 0

    def after_epoch(self, learner: Learner) -> None:
        """Put the exact means into the row. torchmetrics' metrics have met over all workers already."""
        mine = self.replica(learner)
        row, worker = mine.history.last, mine.worker
        count = getattr(mine.valid, "count", 0)
        sums = [float(mine.loss_sum), mine.examples, row.get("valid_loss", 0.0) * count, count]
        if worker.takes("average_metrics"):
            sums = worker.steps.average_metrics(sums)
        row["train_loss"] = sums[0] / max(sums[1], 1)
        if count:
            row["valid_loss"] = sums[2] / sums[3]
        row["examples"] = int(sums[1])
        if worker.options.skip and worker.world_size > 1:
            row["weight_spread"] = worker.steps.weight_spread(mine.model)


class SeedStream(Callback):
    """Give every worker its own random numbers, by seed, worker and epoch: a resume draws the same again."""

    order = -1000

    def __init__(self, seed: int, rank: int) -> None:
        self.seed, self.rank = seed, rank

    def before_epoch(self, learner: Learner) -> None:
        """Seed the epoch."""
        seed_stream(self.seed, self.rank, learner.epoch + 1)


class Heartbeat(WorkerCallback):
    """Tell the parent where this worker is."""

    order = -50  # before the experiment's callbacks, so that one that hangs is found in its batch

    def before_batch(self, learner: Learner) -> None:
        """Report the batch."""
        self.replica(learner).pulse()

    def after_batch(self, learner: Learner) -> None:
        """Report its end; the loss only where reading it waits for nothing."""
        self.replica(learner).pulse(learner.loss.item() if learner.device.type == "cpu" else float("nan"))

    def after_epoch(self, learner: Learner) -> None:
        """Report the row."""
        row = {name: value for name, value in learner.history.last.items() if isinstance(value, int | float)}
        self.replica(learner).worker.messenger.event("epoch", row=row)


def seed_stream(seed: int, rank: int, epoch: int = 0) -> None:
    """Seed Python's, NumPy's and torch's global generators for one worker and epoch (0: before training).

    Worker 0 before training has the plain seed, so that a single process makes the same first weights.
    """
    state = int(np.random.SeedSequence([seed, rank, epoch]).generate_state(1)[0]) if rank or epoch else seed
    random.seed(state)
    np.random.seed(state % 2**32)  # noqa: NPY002 the global one is meant
    torch.manual_seed(state)

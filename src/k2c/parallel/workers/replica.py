"""One worker's training: the learner of `k2c.training` with the five steps added."""

import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from k2c.errors import K2CError
from k2c.parallel.job import Experiment, Job
from k2c.parallel.sharding import ShardedLoader, fetch, validation_share
from k2c.parallel.strategies.options import AllReduceOptions
from k2c.parallel.workers import five_steps
from k2c.parallel.workers.messages import Messenger
from k2c.training import Callback, Checkpoint, History, Learner, LearningRateSchedule, latest
from k2c.training.checkpoint import restore
from k2c.training.checkpoint_file import load_to_resume


def train_replica(
    job: Job, options: AllReduceOptions, rank: int, world_size: int, device: torch.device, folder: Path,
    messenger: Messenger,
    prepare: Callable[[Experiment], object] = lambda made: None,
    kind: "Callable[..., ReplicaLearner] | None" = None,
    steps: ModuleType = five_steps,
) -> History:  # fmt: skip
    """Train as worker `rank` of `world_size`, and return the history, which is the same in every worker.

    Parameters
    ----------
    job, options
        What, and how.
    rank, world_size, device
        Which worker this is, of how many, and where it computes. With more than one worker,
        `torch.distributed` is initialised.
    folder
        Holds `checkpoints`; training goes on from the last one.
    messenger
        Takes the worker's reports.
    prepare
        Changes the experiment that was built.
    kind
        Makes another learner, which exchanges gradients in its own way.
    steps
        The steps on another library than torch.distributed: a module with functions as `five_steps` has them.
    """
    seed_stream(job.seed, rank)
    made = job.build()
    prepare(made)
    if not made.partitioned:
        check_same_data(made.train, steps)
    torch.set_num_threads(options.threads)
    made.model.to(device)
    if world_size > 1 and "broadcast_weights" not in options.skip:
        steps.broadcast_weights(made.model)
    learner = _learner(
        made, options, rank, world_size, device, folder, messenger, kind or ReplicaLearner, steps
    )
    saved = latest(folder / "checkpoints") if rank == 0 else None
    state = steps.share_from_rank_0(load_to_resume(saved.parent, messenger.warn) if saved else None)
    if state is not None:
        if not any(isinstance(callback, Checkpoint) for callback in learner.callbacks):
            state["callbacks"].pop(Checkpoint.__name__)  # worker 0 has it
        restore(learner, state)
        messenger.event("resumed", epoch=learner.epoch)
    learner.connect()
    return learner.fit()


def _learner(
    made: Experiment, options: AllReduceOptions, rank: int, world_size: int, device: torch.device,
    folder: Path, messenger: Messenger, kind: "Callable[..., ReplicaLearner]", steps: ModuleType,
) -> "ReplicaLearner":  # fmt: skip
    average = world_size > 1 and "average_metrics" not in options.skip
    optimizer = made.optimizer(made.model.parameters())
    scale_learning_rate(optimizer, options.rate_factor(world_size))
    train = ShardedLoader(
        made.train, rank, world_size, made.batch_size, options.accumulate, made.shuffle, made.seed,
        made.transform, made.loader_workers, made.partitioned,
    )  # fmt: skip
    saves = "checkpoint_on_rank_0" not in options.skip
    monitor = "train_loss" if made.valid is None else "valid_loss"
    valid = None
    if made.valid is not None:
        valid = ValidationShare(made.valid, rank, world_size, made.batch_size, messenger)
    callbacks: list[Callback] = [
        *made.callbacks,
        SeedStream(made.seed, rank),
        Heartbeat(on_cpu=device.type == "cpu"),
        AverageMetrics(steps, average, spread=bool(options.skip)),
        *five_steps.checkpoint_on_rank_0(folder / "checkpoints", rank if saves else 0, monitor),
    ]
    if options.warm_up_steps:
        callbacks.append(LearningRateSchedule(warm_up_steps=options.warm_up_steps))
    for metric in made.metrics.values():
        metric.sync_on_compute = average
    return kind(
        messenger, options, made.model, train, valid, loss=made.loss, optimizer=optimizer, epochs=made.epochs,
        metrics=made.metrics, callbacks=callbacks, device=device, precision=made.precision,
        channels_last=made.channels_last,
    )  # fmt: skip


class ReplicaLearner(Learner):
    """The learner, where the backward pass averages over all workers, and several batches may make one step.

    Parameters
    ----------
    messenger
        Takes this worker's reports.
    options
        How gradients are exchanged.
    model, train
        What is saved and validated, and this worker's batches.

    Attributes
    ----------
    replica
        What predicts: `model`, wrapped so that the backward pass averages gradients.
    """

    def __init__(
        self, messenger: Messenger, options: AllReduceOptions, model: nn.Module, train: ShardedLoader,
        *args: Any, **named: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, train, *args, **named)
        self.messenger, self.options, self.shares = messenger, options, train
        self.replica = model
        self.loss_sum: Tensor | float = 0.0  # of this worker, in this epoch
        self.examples = 0

    def connect(self) -> None:
        """Get ready to exchange gradients, when the first (or the resumed) weights are in."""
        if self.shares.world_size > 1 and "average_gradients" not in self.options.skip:
            self.replica = five_steps.average_gradients(self.model, self.device, self.options.compression)

    def predict(self) -> None:
        """Put the batch through the replica; say first whether its gradients are exchanged yet."""
        self.replica.require_backward_grad_sync = self.shares.part.closes_step  # type: ignore[assignment]
        model, self.model = self.model, self.replica
        try:
            super().predict()
        finally:
            self.model = model

    def get_loss(self) -> None:
        """Compare, and add the loss up over the examples that count."""
        super().get_loss()
        part = self.shares.part
        self.loss_sum = self.loss.detach().double() * part.count + self.loss_sum
        self.examples += part.count

    def backward(self) -> None:
        """Compute the gradients, each worker's weighted by its share of the batch."""
        self.pulse()
        self.scaler.scale(self.loss * self.shares.part.weight).backward()

    def pulse(self, loss: float = float("nan")) -> None:
        """Tell the parent where this worker is: three times a batch, so that it sees who waits for whom."""
        self.messenger.pulse(self.epoch, self.batch, len(self.shares), loss)

    def step(self) -> None:
        """Step when the last part's gradients are in."""
        if self.shares.part.closes_step:
            super().step()

    def zero_grad(self) -> None:
        """Forget the gradients after a step."""
        if self.shares.part.closes_step:
            super().zero_grad()


class ValidationShare:
    """One worker's validation batches; each example has one worker, none is padded or left out."""

    def __init__(
        self, examples: Any, rank: int, world_size: int, batch_size: int, messenger: Messenger
    ) -> None:
        self.examples, self.messenger = examples, messenger
        self.batches = list(validation_share(len(examples), rank, world_size).split(batch_size))
        self.count = sum(map(len, self.batches))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in fetch(self.examples, self.batches):
            self.messenger.alive()
            yield batch


class AverageMetrics(Callback):
    """Step 4 of the five, after every epoch: losses become means over all workers' examples."""

    order = -100  # before any callback that looks at the row

    def __init__(self, steps: ModuleType, together: bool, spread: bool = False) -> None:
        self.steps, self.together, self.spread = steps, together, spread

    def before_epoch(self, learner: Learner) -> None:
        """Start adding up."""
        assert isinstance(learner, ReplicaLearner)
        learner.loss_sum, learner.examples = 0.0, 0

    def after_epoch(self, learner: Learner) -> None:
        """Put the exact means into the row. torchmetrics' metrics have met over all workers already."""
        assert isinstance(learner, ReplicaLearner)
        row = learner.history.last
        count = getattr(learner.valid, "count", 0)
        sums = [float(learner.loss_sum), learner.examples, row.get("valid_loss", 0.0) * count, count]
        if self.together:
            sums = self.steps.average_metrics(sums)
        row["train_loss"] = sums[0] / max(sums[1], 1)
        if count:
            row["valid_loss"] = sums[2] / sums[3]
        row["examples"] = int(sums[1])
        if self.spread:
            row["weight_spread"] = self.steps.weight_spread(learner.model)


class SeedStream(Callback):
    """Give every worker its own random numbers, by seed, worker and epoch: a resume draws the same again."""

    order = -1000

    def __init__(self, seed: int, rank: int) -> None:
        self.seed, self.rank = seed, rank

    def before_epoch(self, learner: Learner) -> None:
        """Seed the epoch."""
        seed_stream(self.seed, self.rank, learner.epoch + 1)


class Heartbeat(Callback):
    """Tell the parent where this worker is."""

    order = -50  # before the experiment's callbacks, so that one that hangs is found in its batch

    def __init__(self, on_cpu: bool) -> None:
        self.on_cpu = on_cpu

    def before_batch(self, learner: Learner) -> None:
        """Report the batch."""
        assert isinstance(learner, ReplicaLearner)
        learner.pulse()

    def after_batch(self, learner: Learner) -> None:
        """Report its end; the loss only where reading it waits for nothing."""
        assert isinstance(learner, ReplicaLearner)
        loss = learner.loss.item() if self.on_cpu else float("nan")
        learner.pulse(loss)

    def after_epoch(self, learner: Learner) -> None:
        """Report the row."""
        row = {name: value for name, value in learner.history.last.items() if isinstance(value, int | float)}
        assert isinstance(learner, ReplicaLearner)
        learner.messenger.event("epoch", row=row)


def seed_stream(seed: int, rank: int, epoch: int = 0) -> None:
    """Seed Python's, NumPy's and torch's global generators for one worker and epoch (0: before training).

    Worker 0 before training has the plain seed, so that a single process makes the same first weights.
    """
    state = int(np.random.SeedSequence([seed, rank, epoch]).generate_state(1)[0]) if rank or epoch else seed
    random.seed(state)
    np.random.seed(state % 2**32)  # noqa: NPY002 the global one is meant
    torch.manual_seed(state)


def scale_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiply every learning rate: N times the batch, N times the step (Goyal et al., 2017, section 2.1)."""
    for group in optimizer.param_groups:
        group["lr"] *= factor


def check_same_data(examples: Any, steps: ModuleType = five_steps) -> None:
    """Make sure that all workers hold the same examples, whose numbers they share out.

    Raises
    ------
    K2CError
        When they differ, as they do where an experiment draws its data from the global random generators.
    """
    pieces = [repr(len(examples)).encode()]
    for index in {0, len(examples) // 2, len(examples) - 1}:
        inputs, targets = default_collate([examples[index]])
        pieces += [inputs.numpy(force=True).tobytes(), targets.numpy(force=True).tobytes()]
    if not steps.same_everywhere(zlib.crc32(b"".join(pieces))):
        raise K2CError(
            "The workers hold different training examples, so their shares would not add up to one data set. "
            "Draw the data of the experiment from a generator of its own, with a seed that is a parameter."
        )

"""How one worker trains: it builds the experiment, makes a learner of it, resumes, trains, and writes the history."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import default_collate

from k2c._system.atomic import atomic_path
from k2c.errors import K2CError
from k2c.parallel.job import Experiment
from k2c.parallel.sharding import ShardedLoader, batches_of, validation_part
from k2c.parallel.workers.five_steps import FiveSteps
from k2c.parallel.workers.learner import (
    AverageMetrics,
    Heartbeat,
    ReplicaLearner,
    SeedStream,
    Worker,
    seed_stream,
)
from k2c.training import Callback, Checkpoint, History, LearningRateSchedule, latest
from k2c.training.checkpoint import restore
from k2c.training.checkpoint_file import load_to_resume


def train_replica(
    worker: Worker,
    prepare: Callable[[Experiment], object] = lambda made: None,
    learner_of: Callable[..., ReplicaLearner] = ReplicaLearner,
) -> History:
    """Train as a worker, and return the history, which is the same in every worker; worker 0 writes it down.

    Training goes on from the last checkpoint in the run's folder.

    Parameters
    ----------
    worker
        Which one.
    prepare
        Changes the experiment that was built.
    learner_of
        Makes another learner, which exchanges gradients in its own way; called as `ReplicaLearner` is.
    """
    seed_stream(worker.job.seed, worker.rank)
    made = worker.job.build()
    prepare(made)
    if worker.world_size > 1 and not made.partitioned:
        check_same_data(made.train, worker.steps)
    made.model.to(worker.device)
    if worker.takes("broadcast_weights"):
        worker.steps.broadcast_weights(made.model)
    learner = _learner(worker, made, learner_of)
    _resume(worker, learner)
    learner.connect()
    history = learner.fit()
    if worker.rank == 0:
        with atomic_path(worker.folder / "history.json") as part:
            part.write_text(history.to_json())
    return history


def _learner(worker: Worker, made: Experiment, learner_of: Callable[..., ReplicaLearner]) -> ReplicaLearner:
    optimizer = made.optimizer(made.model.parameters())
    for group in optimizer.param_groups:
        group["lr"] *= worker.options.rate_factor(worker.world_size)
    train = ShardedLoader(
        made.train, worker.rank, worker.world_size, made.batch_size, worker.options.accumulate, made.shuffle,
        made.seed, made.transform, made.partitioned,
    )  # fmt: skip
    valid = None if made.valid is None else ValidationPart(made.valid, worker, made.batch_size)
    for metric in made.metrics.values():
        metric.sync_on_compute = worker.takes("average_metrics")
    worker.steps.share_metrics(made.metrics.values())
    return learner_of(
        worker, made.model, train, valid, loss=made.loss, optimizer=optimizer, epochs=made.epochs,
        metrics=made.metrics, callbacks=_callbacks(worker, made), device=worker.device,
    )  # fmt: skip


def _callbacks(worker: Worker, made: Experiment) -> list[Callback]:
    saves = "checkpoint_on_rank_0" not in worker.options.skip
    monitor = "train_loss" if made.valid is None else "valid_loss"
    checkpoints = worker.folder / "checkpoints"
    callbacks: list[Callback] = [
        *made.callbacks,
        SeedStream(made.seed, worker.rank),
        Heartbeat(),
        AverageMetrics(),
        *worker.steps.checkpoint_on_rank_0(checkpoints, worker.rank if saves else 0, monitor),
    ]
    if worker.options.warm_up_steps:
        callbacks.append(LearningRateSchedule(warm_up_steps=worker.options.warm_up_steps))
    return callbacks


def _resume(worker: Worker, learner: ReplicaLearner) -> None:
    """Put worker 0's last checkpoint, if there is one, into the learner of every worker."""
    saved = latest(worker.folder / "checkpoints") if worker.rank == 0 else None
    state = load_to_resume(saved.parent, worker.messenger.warn) if saved else None
    if worker.world_size > 1:
        state = worker.steps.share_from_rank_0(state)
    if state is not None:
        if not any(isinstance(callback, Checkpoint) for callback in learner.callbacks):
            state["callbacks"].pop(Checkpoint.__name__)  # worker 0 has it
        restore(learner, state)
        worker.messenger.event("resumed", epoch=learner.epoch)


class ValidationPart:
    """One worker's validation batches; each example has one worker, none is padded or left out."""

    def __init__(self, examples: Any, worker: Worker, batch_size: int) -> None:
        self.examples, self.messenger = examples, worker.messenger
        numbers = validation_part(len(examples), worker.rank, worker.world_size)
        self.batches, self.count = list(numbers.split(batch_size)), len(numbers)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in batches_of(self.examples, self.batches):
            self.messenger.alive()
            yield batch


def check_same_data(examples: Any, steps: FiveSteps) -> None:
    """Make sure that all workers hold the same examples, whose numbers they divide.

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
            "The workers hold different training examples, so their shards would not add up to one data set. "
            "Draw the data of the experiment from a generator of its own, with a seed that is a parameter."
        )

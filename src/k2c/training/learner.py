"""The training loop: five steps, and callbacks around them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from k2c._system.freed_memory import keep_freed_memory
from k2c._system.outputs import tell_epoch
from k2c.errors import K2CError
from k2c.training.device import move, pick_device
from k2c.training.evaluate import Batches, Loss, evaluate
from k2c.training.history import History, Row

if TYPE_CHECKING:
    from torchmetrics import Metric


# Reading a loss waits for the device, so on a GPU the losses are looked at this many batches at a time.
_BATCHES_BETWEEN_CHECKS = {"cpu": 1}
_BATCHES_BETWEEN_CHECKS_ELSEWHERE = 50


class TrainingDiverged(K2CError):
    """The loss became NaN or infinite; the message says where, why that is likely and what to try."""


class CancelEpoch(Exception):
    """Raised by a callback to skip the rest of this epoch's batches; the epoch is measured as usual."""


class CancelFit(Exception):
    """Raised by a callback to end the training run; its message becomes `History.stopped`."""


class Callback:
    """Hooks that `fit` calls; override the ones you need.

    Before and after the fit, each epoch and each batch, the hooks of all callbacks run in ascending `order`,
    callbacks of equal order as they stand in the list; `after_fit` runs in reverse, even after an error.
    A hook may raise `CancelEpoch` or `CancelFit`; the other callbacks still get that hook first.

    Attributes
    ----------
    order
        0 unless a callback must be early (schedules, -10) or late (what looks at results, 10; checkpoints,
        which save what the others remember, 100).
    """

    order: int = 0

    def before_fit(self, learner: "Learner") -> None:
        """Run before the first epoch (and after a checkpoint was loaded)."""

    def before_epoch(self, learner: "Learner") -> None:
        """Run before the first batch of an epoch."""

    def before_batch(self, learner: "Learner") -> None:
        """Run when `learner.inputs` and `learner.targets` are there, before the five steps."""

    def after_batch(self, learner: "Learner") -> None:
        """Run after the five steps."""

    def after_epoch(self, learner: "Learner") -> None:
        """Run when `learner.history.last` is the row of the epoch that has just ended."""

    def after_fit(self, learner: "Learner") -> None:
        """Run at the very end, however it came."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to hold: numbers, text, tensors, lists and dictionaries of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, before `before_fit`."""


class Learner:
    """A model, its batches, and the loop that trains it. `fit` makes one; callbacks receive it.

    Attributes
    ----------
    model, train, valid, loss_function, optimizer, metrics
        What `fit` was given.
    epochs, epoch, steps
        How many epochs to reach, how many have ended, and how many optimiser steps were taken, all since the
        very start (a resumed run goes on counting).
    batch, inputs, targets, logits, loss
        The current batch: its number in the epoch (from 0), and its tensors on the device.
    learning_rate
        The learning rate (of the first parameter group) in the latest step.
    history
        The rows so far.
    callbacks
        Sorted by their `order`; callbacks of equal order stay as they were given.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Batches,
        valid: Batches | None = None,
        *,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        epochs: int,
        metrics: "Mapping[str, Metric] | None" = None,
        callbacks: Sequence[Callback] = (),
        device: str | torch.device | None = None,
        channels_last: bool = False,
    ) -> None:
        self.model, self.train, self.valid = model, train, valid
        self.loss_function, self.optimizer, self.epochs = loss, optimizer, epochs
        self.metrics = dict(metrics or {})
        self.callbacks = sorted(callbacks, key=lambda callback: callback.order)
        self.device = pick_device(device)
        self.channels_last = channels_last
        self.history = History()
        self.epoch = self.steps = self.batch = 0
        self.learning_rate = float(optimizer.param_groups[0]["lr"])
        self.inputs = self.targets = self.logits = self.loss = torch.empty(0)
        self._check()
        layout = torch.channels_last if channels_last else torch.preserve_format
        model.to(self.device, memory_format=layout)  # type: ignore[call-overload]

    # ---- one training step -------------------------------------------------------------------------------

    def predict(self) -> None:
        """Put the batch through the model."""
        self.logits = self.model(self.inputs)

    def get_loss(self) -> None:
        """Compare the logits with the targets."""
        self.loss = self.loss_function(self.logits, self.targets)

    def backward(self) -> None:
        """Compute the gradient of the loss in every parameter."""
        self.loss.backward()

    def step(self) -> None:
        """Let the optimiser change the parameters."""
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        self.steps += 1

    def zero_grad(self) -> None:
        """Set the gradients to zero; they would add up otherwise."""
        self.optimizer.zero_grad()

    # ---- the loops around it -----------------------------------------------------------------------------

    def fit(self) -> History:
        """Train until `epochs` epochs have ended or a callback cancels; `after_fit` runs in any case."""
        self.history.stopped = None
        with ExitStack() as clean_up:
            if self.device.type == "cpu":
                clean_up.enter_context(keep_freed_memory())
            try:
                for callback in self.callbacks:
                    clean_up.callback(callback.after_fit, self)
                self._call("before_fit")
                while self.epoch < self.epochs:
                    self._one_epoch()
            except CancelFit as cancel:
                self.history.stopped = str(cancel) or "cancelled"
        return self.history

    def _one_epoch(self) -> None:
        start = time.perf_counter()
        losses: list[tuple[Tensor, int]] = []
        try:
            self._call("before_epoch")
            self._all_batches(losses)
        except CancelEpoch:
            pass
        self._check_finite(losses, 0)
        row: Row = {"epoch": self.epoch + 1, "train_loss": _mean(losses)}
        row |= self._validate()
        row |= {"learning_rate": self.learning_rate, "seconds": time.perf_counter() - start}
        self.history.rows.append(row)
        tell_epoch(row)
        self.epoch += 1
        self._call("after_epoch")

    def _all_batches(self, losses: list[tuple[Tensor, int]]) -> None:
        self.model.train()
        _set_epoch(self.train, self.epoch)
        every = _BATCHES_BETWEEN_CHECKS.get(self.device.type, _BATCHES_BETWEEN_CHECKS_ELSEWHERE)
        for number, (inputs, targets) in enumerate(self.train):
            self.batch = number
            self.inputs = move(inputs, self.device, self.channels_last)
            self.targets = targets.to(self.device, non_blocking=True)
            self._call("before_batch")
            self.predict()
            self.get_loss()
            self.backward()
            self.step()
            self.zero_grad()
            losses.append((self.loss.detach(), len(targets)))
            if len(losses) % every == 0:
                self._check_finite(losses, len(losses) - every)
            self._call("after_batch")

    def _validate(self) -> Row:
        if self.valid is None:
            return {}
        _set_epoch(self.valid, self.epoch)
        measured = evaluate(self.model, self.valid, self.metrics, self.loss_function, self.device)
        return {"valid_loss": measured.pop("loss")} | measured

    def _call(self, hook: str) -> None:
        """Run one hook of every callback, in order; a cancel takes effect when all of them had their turn."""
        cancelled: CancelEpoch | CancelFit | None = None
        for callback in self.callbacks:
            try:
                getattr(callback, hook)(self)
            except CancelEpoch as cancel:
                cancelled = cancelled or cancel
            except CancelFit as cancel:
                cancelled = cancel if not isinstance(cancelled, CancelFit) else cancelled
        if cancelled is not None:
            raise cancelled

    def _check(self) -> None:
        if self.epochs < 0:
            raise K2CError(f"epochs is {self.epochs}. It must be 0 or more.")
        if self.metrics and self.valid is None:
            raise K2CError(
                "Metrics are measured on validation batches. Pass `valid`, or leave `metrics` out."
            )
        trained = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        if not trained & {id(p) for p in self.model.parameters()}:
            raise K2CError(
                "The optimizer holds no parameter of this model (a new model needs a new optimizer). "
                "Make it with optimizer = torch.optim.SGD(model.parameters(), lr=...)."
            )

    def _check_finite(self, losses: list[tuple[Tensor, int]], since: int) -> None:
        values = torch.stack([loss for loss, _ in losses[since:]]).tolist() if losses[since:] else []
        bad = [i for i, value in enumerate(values) if not math.isfinite(value)]
        if not bad:
            return
        if self.epoch == since + bad[0] == 0:
            cause = "Before any step the cause is the data or the model"
            cure = (
                "look for NaN or huge values in the inputs and targets, and scale the inputs to about -1..1"
            )
        else:
            cause = f"The likely cause is a learning rate that is too high ({self.learning_rate:g} now)"
            cure = f"try a learning rate of {self.learning_rate / 10:g}, a warm-up, or look for NaN in the inputs"
        raise TrainingDiverged(
            f"Training diverged: the loss of batch {since + bad[0] + 1} of epoch {self.epoch + 1} is "
            f"{values[bad[0]]}. {cause}: {cure}."
        )


def _mean(losses: list[tuple[Tensor, int]]) -> float:
    if not losses:
        return math.nan
    values = torch.stack([loss for loss, _ in losses]).double().cpu()
    sizes = torch.tensor([size for _, size in losses], dtype=torch.float64)
    return ((values * sizes).sum() / sizes.sum()).item()


def _set_epoch(batches: Batches, epoch: int) -> None:
    """Tell a loader, or its sampler, which epoch comes: its order then depends on nothing that ran before."""
    for part in (batches, getattr(batches, "sampler", None)):
        set_epoch: Callable[[int], None] | None = getattr(part, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)

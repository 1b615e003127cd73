"""Callbacks: what happens around the five steps of training."""

import math
from collections.abc import Callable
from typing import Any

from k2c.errors import K2CError
from k2c.training.errors import CancelFit
from k2c.training.learner import Callback, Learner


class EveryNEpochs(Callback):
    """Call a function after every n-th epoch.

    Parameters
    ----------
    n
        Epochs between two calls.
    function
        Receives the learner: `lambda learner: print(learner.history.last)`.
    """

    order = 10

    def __init__(self, n: int, function: Callable[[Learner], object]) -> None:
        if n < 1:
            raise K2CError(f"EveryNEpochs({n}, ...): n must be 1 or more.")
        self.n, self.function = n, function

    def after_epoch(self, learner: Learner) -> None:
        """Call the function when the number of epochs is a multiple of n."""
        if learner.epoch % self.n == 0:
            self.function(learner)


class Best:
    """The best value so far of one column of the history.

    Parameters
    ----------
    monitor
        The column: `"valid_loss"`, `"train_loss"` or the name of a metric.
    mode
        Whether `"min"` or `"max"` is best.
    min_delta
        How much better a value must be to count.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise K2CError(f"mode is {mode!r}. Use 'min' for a loss and 'max' for an accuracy.")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.value: float | None = None

    def start(self, learner: Learner) -> None:
        """Forget the value, and refuse a name that no epoch will have."""
        measured = ["valid_loss", *learner.metrics] if learner.valid is not None else []
        if self.monitor not in (names := ["train_loss", *measured]):
            raise K2CError(
                f"The history will have no {self.monitor!r} to monitor. Choose one of: {', '.join(names)}."
            )
        self.value = None

    def update(self, learner: Learner) -> bool:
        """Look at the epoch that has just ended and tell whether it is the best so far."""
        value = learner.history.last[self.monitor]
        if not isinstance(value, int | float):
            raise K2CError(f"{self.monitor!r} has several values; monitor a measure that is one number.")
        gain = 0.0 if self.value is None else (self.value - value) * (1 if self.mode == "min" else -1)
        better = not math.isnan(value) and (self.value is None or gain > self.min_delta)
        if better:
            self.value = value
        return better


class EarlyStop(Callback):
    """End the training when a value has not become better for some epochs.

    Parameters
    ----------
    monitor, mode, min_delta
        See `Best`.
    patience
        How many epochs in a row may pass without a better value.
    """

    order = 10

    def __init__(
        self, monitor: str = "valid_loss", patience: int = 3, mode: str = "min", min_delta: float = 0.0
    ) -> None:
        if patience < 1:
            raise K2CError(f"patience is {patience}. It must be 1 or more.")
        self.best, self.patience = Best(monitor, mode, min_delta), patience
        self.waited = 0

    def before_fit(self, learner: Learner) -> None:
        """Start counting anew; a resumed run goes on, and stops at once when it had waited enough."""
        if learner.epoch == 0:
            self.best.start(learner)
            self.waited = 0
        self._stop_when_done()

    def after_epoch(self, learner: Learner) -> None:
        """Count the epochs without a better value."""
        self.waited = 0 if self.best.update(learner) else self.waited + 1
        self._stop_when_done()

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the count."""
        return {"best": self.best.value, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back the best value and the count."""
        self.best.value, self.waited = state["best"], state["waited"]

    def _stop_when_done(self) -> None:
        if self.waited >= self.patience:
            value = "none" if self.best.value is None else f"{self.best.value:.4g}"
            raise CancelFit(
                f"{self.best.monitor} has not become better for {self.waited} epochs (best: {value})"
            )

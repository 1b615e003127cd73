"""Checkpoints that a killed run can go on from, to the same weights."""

import copy
import math
import os
from pathlib import Path
from typing import Any

import torch

from k2c.errors import K2CError
from k2c.training.checkpoint_file import ANEW, BEST, FORMAT, LAST, write_checkpoint
from k2c.training.errors import CheckpointError
from k2c.training.history import History
from k2c.training.learner import Callback, Learner
from k2c.training.random_state import loader_generators, random_state, set_random_state


class Best:
    """The best value so far of one column of the history.

    Parameters
    ----------
    monitor
        The column: `"valid_loss"`, `"train_loss"` or the name of a metric.
    mode
        Whether `"min"` or `"max"` is best.
    """

    def __init__(self, monitor: str, mode: str) -> None:
        if mode not in ("min", "max"):
            raise K2CError(f"mode is {mode!r}. Use 'min' for a loss and 'max' for an accuracy.")
        self.monitor, self.mode = monitor, mode
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
        better = not math.isnan(value) and (self.value is None or gain > 0)
        if better:
            self.value = value
        return better


class Checkpoint(Callback):
    """Write `last.pt` before the first step and after every epoch, and `best.pt` after the best epoch yet.

    A file gets its name when it is complete, so a run that is killed at any moment leaves the one before. It ends
    in a checksum, and the `last.pt` before stays as `previous.pt`: where one is damaged, a run goes on from the other.

    Parameters
    ----------
    folder
        Where the files go; it is made when it is missing.
    monitor
        The column of the history that decides which epoch is best.
    mode
        `"min"` or `"max"`.
    """

    order = 100

    def __init__(
        self, folder: str | os.PathLike[str], monitor: str = "valid_loss", mode: str = "min"
    ) -> None:
        self.folder, self.best = Path(folder), Best(monitor, mode)

    def before_fit(self, learner: Learner) -> None:
        """Save the start, so that there is always something to resume from."""
        if learner.epoch == 0:
            self.best.start(learner)
            self._write(learner, BEST, LAST)

    def after_epoch(self, learner: Learner) -> None:
        """Save the epoch."""
        # best.pt first: a kill in between then repeats this epoch, and writes it again.
        self._write(learner, *([BEST] if self.best.update(learner) else []), LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best": self.best.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the best value so far back."""
        self.best.value = state["best"]

    def _write(self, learner: Learner, *names: str) -> None:
        write_checkpoint(capture(learner), self.folder, *names)


def capture(learner: Learner) -> dict[str, Any]:
    """Return everything that decides how the training goes on, in tensors and plain containers."""
    return {
        "format": FORMAT,
        "settings": _settings(learner),
        "epoch": learner.epoch,
        "steps": learner.steps,
        "model": learner.model.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "scaler": learner.scaler.state_dict(),
        "callbacks": {name: c.state_dict() for name, c in _named(learner).items()},
        "history": learner.history.rows,
        "random": random_state(),
        "loaders": [generator.get_state() for generator in _generators(learner)],
    }


def restore(learner: Learner, state: dict[str, Any]) -> None:
    """Put a learner into the state that `capture` returned.

    Raises
    ------
    CheckpointError
        When the checkpoint belongs to another model, optimiser, precision or set of callbacks. The learner is
        then as it was.
    """
    callbacks = _named(learner)
    _check_fits(learner, state, callbacks)
    before = copy.deepcopy(capture(learner))
    try:
        _take(learner, state, callbacks)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        _take(learner, before, callbacks)
        raise CheckpointError(
            f"The checkpoint does not fit this run ({type(error).__name__}: {error}). Use the model, the optimiser and "
            f"the callbacks that it was made with. {ANEW}"
        ) from error


def _take(learner: Learner, state: dict[str, Any], callbacks: dict[str, Callback]) -> None:
    learner.model.load_state_dict(state["model"])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.scaler.load_state_dict(state["scaler"])
    for name, callback in callbacks.items():
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    learner.history = History(rows=list(state["history"]))
    learner.epoch, learner.steps = state["epoch"], state["steps"]
    for generator, saved in zip(_generators(learner), state["loaders"], strict=True):
        generator.set_state(saved)
    set_random_state(state["random"])


def _check_fits(learner: Learner, state: dict[str, Any], callbacks: dict[str, Callback]) -> None:
    here: dict[str, Any] = {name: tuple(value.shape) for name, value in _tensors(learner.model.state_dict())}
    there: dict[str, Any] = {name: tuple(value.shape) for name, value in _tensors(state["model"])}
    odd = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if odd:
        name = odd[0]
        raise CheckpointError(
            f"The checkpoint belongs to another model: {name} has shape {there.get(name, 'none')} there and "
            f"{here.get(name, 'none')} here. Build the model as it was. {ANEW}"
        )
    settings = _settings(learner)
    for name in (name for name, value in settings.items() if state["settings"].get(name) != value):
        raise CheckpointError(
            f"The checkpoint was made with {name} {state['settings'].get(name)}, and this run has "
            f"{settings[name]}. Use the same {name}. {ANEW}"
        )
    for name in (name for name, saved in state["callbacks"].items() if saved and name not in callbacks):
        raise CheckpointError(
            f"The checkpoint holds the state of a callback, {name}, that this run does not have. Add it to "
            f"`callbacks`. {ANEW}"
        )


def _settings(learner: Learner) -> dict[str, Any]:
    return {
        "optimizer": type(learner.optimizer).__name__,
        "parameter group sizes": [len(group["params"]) for group in learner.optimizer.param_groups],
        "precision": learner.precision,
        "loader generators": len(_generators(learner)),
    }


def _tensors(state: dict[str, Any]) -> list[tuple[str, torch.Tensor]]:
    return [(name, value) for name, value in state.items() if isinstance(value, torch.Tensor)]


def _generators(learner: Learner) -> list[torch.Generator]:
    return loader_generators(learner.train) + loader_generators(learner.valid)


def _named(learner: Learner) -> dict[str, Callback]:
    """Return the callbacks by class name; a second one of a class is called `Checkpoint-2`."""
    named: dict[str, Callback] = {}
    for callback in learner.callbacks:
        kind = type(callback).__name__
        count = 1 + sum(type(other).__name__ == kind for other in named.values())
        named[kind if count == 1 else f"{kind}-{count}"] = callback
    return named

"""Checkpoints that a killed run can go on from, to the same weights."""

import copy
import math
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from k2c.errors import K2CError
from k2c.training.checkpoint_file import ANEW, BEST, FORMAT, LAST, CheckpointError, write_checkpoint
from k2c.training.evaluate import Batches
from k2c.training.history import History
from k2c.training.learner import Callback, Learner


class Checkpoint(Callback):
    """Write `last.pt` before the first step and after every epoch, and `best.pt` after the best epoch yet.

    A file gets its name when it is complete, so a run that is killed at any moment leaves the one before. It ends
    in a checksum, and the `last.pt` before stays as `previous.pt`: where one is damaged, a run goes on from the other.

    Parameters
    ----------
    folder
        Where the files go; it is made when it is missing.
    monitor
        The column of the history whose least value is best: `"valid_loss"`, `"train_loss"` or the name of a metric.
    """

    order = 100

    def __init__(self, folder: str | os.PathLike[str], monitor: str = "valid_loss") -> None:
        self.folder, self.monitor = Path(folder), monitor
        self.least: float | None = None

    def before_fit(self, learner: Learner) -> None:
        """Save the start, so that there is always something to resume from.

        Raises
        ------
        K2CError
            When no epoch will have the column `monitor`.
        """
        measured = ["valid_loss", *learner.metrics] if learner.valid is not None else []
        if self.monitor not in (names := ["train_loss", *measured]):
            raise K2CError(
                f"The history will have no {self.monitor!r} to monitor. Choose one of: {', '.join(names)}."
            )
        if learner.epoch == 0:
            self.least = None
            write_checkpoint(capture(learner), self.folder, BEST, LAST)

    def after_epoch(self, learner: Learner) -> None:
        """Save the epoch."""
        # best.pt first: a kill in between then repeats this epoch, and writes it again.
        write_checkpoint(capture(learner), self.folder, *([BEST] if self._is_best(learner) else []), LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return the least value so far."""
        return {"least": self.least}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the least value so far back."""
        self.least = state["least"]

    def _is_best(self, learner: Learner) -> bool:
        value = learner.history.last[self.monitor]
        if not isinstance(value, int | float):
            raise K2CError(f"{self.monitor!r} has several values; monitor a measure that is one number.")
        if math.isnan(value) or (self.least is not None and value >= self.least):
            return False
        self.least = value
        return True


def capture(learner: Learner) -> dict[str, Any]:
    """Return everything that decides how the training goes on, in tensors and plain containers."""
    return {
        "format": FORMAT,
        "settings": _settings(learner),
        "epoch": learner.epoch,
        "steps": learner.steps,
        "model": learner.model.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
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
        When the checkpoint belongs to another model, optimiser or set of callbacks. The learner is then as it was.
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


def random_state() -> dict[str, Any]:
    """Return the state of Python's, NumPy's and torch's global generators as tensors and numbers."""
    version, words, gauss = random.getstate()
    name, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 the global one is meant
    state: dict[str, Any] = {
        "python": [version, torch.tensor(words, dtype=torch.int64), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(key).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put the generators into the state that `random_state` returned."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, key, *rest = state["numpy"]
    np.random.set_state((name, key.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def loader_generators(batches: Batches | None) -> list[torch.Generator]:
    """Return the generators that a `DataLoader` or its sampler was given (not torch's global one)."""
    parts = (batches, getattr(batches, "sampler", None))
    owned = [getattr(part, "generator", None) for part in parts]
    # RandomSampler usually holds the loader's own generator; keep it once.
    return list({id(g): g for g in owned if isinstance(g, torch.Generator)}.values())

"""A run that was stopped and resumed ends at the same weights, bit for bit."""

import io
import random

import numpy as np
import pytest
import torch
from torch import nn

from k2c._system.sealed import seal
from k2c.training import (
    Callback,
    CancelFit,
    Checkpoint,
    CheckpointError,
    InMemoryLoader,
    LearningRateSchedule,
    fit,
    latest,
    load_checkpoint,
)


class StopInTheMiddle(Callback):
    """Stop in the middle of an epoch, as a power cut would: the epoch's work is lost."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def after_batch(self, learner):
        if learner.epoch == self.epoch and learner.batch == 2:
            raise CancelFit("power cut")


class UseAllGenerators(Callback):
    """Make the weights depend on Python's and NumPy's random numbers too."""

    def before_batch(self, learner):
        learner.inputs = learner.inputs * (1 + 0.01 * random.random()) + 0.01 * np.random.rand()  # noqa: NPY002


class StopAtTheSeventhEpoch(Callback):
    """Count the epochs in a state of its own, and end the fit."""

    def __init__(self) -> None:
        self.count = 0

    def before_fit(self, learner):
        self._stop()

    def after_epoch(self, learner):
        self.count += 1
        self._stop()

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]

    def _stop(self):
        if self.count == 7:
            raise CancelFit("counted to seven")


@pytest.mark.parametrize("kind", ["in memory", "DataLoader", "DataLoader with generator", "two workers"])
def test_resume_is_bit_for_bit(kind, train, blobs, data_loader, tmp_path, same_weights):
    def batches():
        if kind == "in memory":
            return InMemoryLoader(*blobs, batch_size=32, shuffle=True, seed=3)
        if kind == "two workers":
            return data_loader(num_workers=2)
        generator = torch.Generator().manual_seed(5) if kind == "DataLoader with generator" else None
        return data_loader(generator=generator)

    def callbacks(folder):
        schedule = LearningRateSchedule(lambda step: 0.95**step, warm_up_steps=5)
        return [schedule, UseAllGenerators(), Checkpoint(folder, monitor="train_loss")]

    random.seed(0), np.random.seed(0)  # noqa: NPY002
    whole, expected = train(5, batches(), callbacks=callbacks(tmp_path / "whole"))
    random.seed(0), np.random.seed(0)  # noqa: NPY002
    train(5, batches(), callbacks=[*callbacks(tmp_path / "cut"), StopInTheMiddle(3)])
    random.seed(99), np.random.seed(99), torch.manual_seed(99)  # noqa: NPY002
    resumed, history = train(
        5, batches(), callbacks=callbacks(tmp_path / "cut"), resume_from=tmp_path / "cut"
    )

    assert same_weights(whole, resumed)
    assert history["train_loss"] == expected["train_loss"]
    assert history["learning_rate"] == expected["learning_rate"]
    assert load_checkpoint(tmp_path / "cut")["epoch"] == 5


@pytest.mark.parametrize("optimizer_class", [torch.optim.SGD, torch.optim.AdamW])
def test_a_callbacks_state_resumes(optimizer_class, blobs, make_model, tmp_path, same_weights):
    def run(folder, *extra, resume_from=None):
        model = make_model()
        optimizer = optimizer_class(model.parameters(), lr=0.05)
        callbacks = [
            StopAtTheSeventhEpoch(),
            Checkpoint(folder),
            *extra,
        ]
        batches = InMemoryLoader(*blobs, batch_size=32, shuffle=True)
        arguments = {"loss": nn.CrossEntropyLoss(), "optimizer": optimizer, "epochs": 30, "device": "cpu"}
        return model, fit(model, batches, [blobs], callbacks=callbacks, resume_from=resume_from, **arguments)

    whole, expected = run(tmp_path / "whole")
    run(tmp_path / "cut", StopInTheMiddle(4))
    resumed, history = run(tmp_path / "cut", resume_from=tmp_path / "cut")
    again, _ = run(tmp_path / "cut", resume_from=tmp_path / "cut")

    assert history["valid_loss"] == expected["valid_loss"]
    assert history.stopped == expected.stopped == "counted to seven"
    assert same_weights(whole, resumed)
    assert same_weights(whole, again), "a run that had stopped early shall not train on"


def test_epoch_0_is_saved_before_any_step(train, make_model, checkpoint):
    train(0, callbacks=[checkpoint])
    start = make_model().state_dict()
    for name in ("last.pt", "best.pt"):
        saved = load_checkpoint(checkpoint.folder / name)
        assert saved["epoch"] == 0
        assert all(torch.equal(saved["model"][key], start[key]) for key in start)


def test_best_is_the_epoch_with_the_best_value(train, blobs, tmp_path):
    _, history = train(6, valid=[blobs], callbacks=[Checkpoint(tmp_path)], lr=1.5)
    values = history["valid_loss"]
    assert load_checkpoint(tmp_path / "best.pt")["epoch"] == 1 + values.index(min(values))
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 6


def test_latest_starts_or_goes_on(train, tmp_path):
    assert latest(tmp_path / "new") is None
    train(1, callbacks=[Checkpoint(tmp_path / "new", "train_loss")], resume_from=latest(tmp_path / "new"))
    _, history = train(
        2, resume_from=latest(tmp_path / "new"), callbacks=[Checkpoint(tmp_path / "new", "train_loss")]
    )
    assert history["epoch"] == [1, 2]


def test_a_pickled_surprise_is_not_executed(tmp_path, train):
    class Surprise:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    content = io.BytesIO()
    torch.save({"format": 3, "model": Surprise()}, content)
    sealed = content.getvalue() + seal(content.getvalue(), "checkpoint 3")
    (tmp_path / "last.pt").write_bytes(sealed)
    with pytest.raises(CheckpointError, match="torch cannot read it"):
        train(1, resume_from=tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_that_does_not_fit_is_refused_with_a_sentence(
    train, blobs, checkpoint, schedule, tmp_path
):
    with pytest.raises(CheckpointError, match=r"no checkpoint .* leave `resume_from` out"):
        train(1, resume_from=tmp_path / "nowhere")
    train(1, callbacks=[checkpoint])
    with pytest.raises(CheckpointError, match="Checkpoint, that this run does not have"):
        train(2, resume_from=tmp_path)

    def other(model, optimizer_class):
        optimizer = optimizer_class(model.parameters(), lr=0.1)
        arguments = {"loss": nn.CrossEntropyLoss(), "optimizer": optimizer, "epochs": 2, "device": "cpu"}
        fit(model, [blobs], resume_from=tmp_path, callbacks=[checkpoint], **arguments)

    with pytest.raises(
        CheckpointError, match=r"another model: 0\.bias has shape \(16,\) there and \(5,\) here"
    ):
        other(nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Dropout(0.3), nn.Linear(5, 3)), torch.optim.SGD)
    with pytest.raises(CheckpointError, match="made with optimizer SGD, and this run has Adam"):
        other(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3)), torch.optim.Adam)

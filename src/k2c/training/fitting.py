"""`fit`: training in one call."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from k2c.training.checkpoint import restore
from k2c.training.checkpoint_file import load_to_resume
from k2c.training.evaluate import Batches, Loss
from k2c.training.history import History
from k2c.training.learner import Callback, Learner

if TYPE_CHECKING:
    from torchmetrics import Metric


def fit(
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
    resume_from: str | os.PathLike[str] | None = None,
) -> History:
    """Train a model and return what was measured.

    Parameters
    ----------
    model
        Gives logits for inputs. It is trained in place and stays on the device.
    train, valid
        Anything that gives batches, pairs of inputs and targets, each time it is iterated over: an
        `InMemoryLoader`, a `DataLoader`, a list.
    loss
        Gives the mean loss of a batch for `(logits, targets)`, for example `nn.CrossEntropyLoss()`.
    optimizer
        Made with the model's parameters.
    epochs
        Passes over `train`, counted from the very start, also when the run resumes.
    metrics
        torchmetrics objects by name, measured on `valid` after every epoch.
    callbacks
        What else happens; see `Callback`.
    device
        `"cpu"`, `"cuda"`, `"mps"`; the fastest one here when it is left out.
    channels_last
        Whether images and convolution weights are stored with the channels of a pixel side by side. The function is
        the same; on a CPU, convolutions are then about 1.4 times faster.
    resume_from
        A checkpoint, or a folder of `Checkpoint` (its `last.pt` is taken; where that is damaged, a warning says so
        and which good one stands in). The run goes on as if it had never stopped: the same weights, bit for bit on
        one machine.

    Returns
    -------
    History
        A row per epoch, the epochs before a resume included.

    Raises
    ------
    TrainingDiverged
        When the loss is NaN or infinite.
    CheckpointError
        When `resume_from` cannot be loaded or does not fit the model, the optimiser or the callbacks.
    K2CError
        For arguments that do not fit each other.
    """
    learner = Learner(
        model,
        train,
        valid,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        metrics=metrics,
        callbacks=callbacks,
        device=device,
        channels_last=channels_last,
    )
    if resume_from is not None:
        restore(learner, load_to_resume(resume_from))
    return learner.fit()

"""Measure a trained model, and predict with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from k2c.errors import K2CError
from k2c.training.device import is_channels_last, model_device, move, pick_device

if TYPE_CHECKING:
    from torchmetrics import Metric

Batches = Iterable[tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]


def evaluate(
    model: nn.Module,
    batches: Batches,
    metrics: "Mapping[str, Metric] | None" = None,
    loss: Loss | None = None,
    device: str | torch.device | None = None,
) -> dict[str, Any]:
    """Measure a model on batches, in evaluation mode and without gradients.

    Parameters
    ----------
    model
        Gives logits for inputs.
    batches
        Pairs of inputs and targets.
    metrics
        torchmetrics objects by name; each is reset, updated with `(logits, targets)` and computed.
    loss
        Gives the mean loss of a batch. Its mean over all examples is returned as `"loss"`.
    device
        Where to measure; the model stays where it is when this is left out.

    Returns
    -------
    dict
        A number per name; a list where a metric has several values (one per class, for example).

    Raises
    ------
    K2CError
        When there is no batch.
    """
    where = model_device(model) if device is None else pick_device(device)
    model.to(where)
    measures = {name: metric.to(where) for name, metric in (metrics or {}).items()}
    for metric in measures.values():
        metric.reset()
    total, examples = torch.zeros((), device=where), 0
    for logits, targets in _logits(model, batches, where):
        examples += len(targets)
        if loss is not None:
            total += loss(logits, targets).detach() * len(targets)
        for metric in measures.values():
            metric.update(logits, targets)
    if not examples:
        raise K2CError("There is nothing to measure: the batches are empty. Give at least one example.")
    values = {} if loss is None else {"loss": total.item() / examples}
    return values | {name: _plain(metric.compute()) for name, metric in measures.items()}


def predict(
    model: nn.Module, inputs: Tensor, batch_size: int = 250, device: str | torch.device | None = None
) -> Tensor:
    """Return the model's logits for `inputs`, on the CPU, float32.

    Parameters
    ----------
    model
        Gives logits for inputs.
    inputs
        A tensor whose first dimension counts the examples.
    batch_size
        Examples that go through the model at once; it bounds the memory, not the result.
    device
        Where to compute; the model stays where it is when this is left out.
    """
    where = model_device(model) if device is None else pick_device(device)
    model.to(where)
    batches = ((part, part) for part in inputs.split(batch_size))
    found, start = torch.empty(0), 0
    for logits, _ in _logits(model, batches, where):
        if start == 0:  # in one piece: to join pieces at the end takes the memory twice
            found = torch.empty(len(inputs), *logits.shape[1:])
        found[start : start + len(logits)] = logits
        start += len(logits)
    return found


def _logits(model: nn.Module, batches: Batches, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    channels_last = is_channels_last(model)
    with _evaluation_mode(model):
        for inputs, targets in batches:
            with torch.no_grad():
                logits = model(move(inputs, device, channels_last))
            yield logits.float(), targets.to(device)


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _plain(value: Tensor) -> Any:
    """Return a metric's value as a number or a list, which JSON and checkpoints can hold."""
    return value.detach().cpu().tolist()

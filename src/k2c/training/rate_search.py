"""Find a learning rate: raise it step by step, and see how far the loss falls."""

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from k2c.errors import K2CError
from k2c.training.evaluate import Batches, Loss

_SMOOTHED = 0.8  # of the running mean of the losses, what the steps before keep
_TOO_HIGH = 4.0  # times the lowest loss so far: the search ends there


@dataclass(frozen=True)
class RateSearch:
    """What a search measured.

    Attributes
    ----------
    rates, losses
        float64 (steps,): the learning rate of each step, and the running mean of the loss.
    suggestion
        The rate at which that mean had made half of its way down to its lowest value: about where it falls fastest.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float


def find_learning_rate(
    model: nn.Module,
    train: Batches,
    loss: Loss,
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] = torch.optim.AdamW,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
) -> RateSearch:
    """Train a copy of a model with a learning rate that grows from step to step.

    Parameters
    ----------
    model
        Gives logits for inputs. It stays as it is.
    train
        Batches, repeated as often as needed.
    loss
        Gives the mean loss of a batch.
    optimizer
        Makes an optimiser of the copy's parameters that need a gradient.
    low, high
        The first rate and the last; the search ends before it when the loss has risen to four times its lowest value.
    steps
        How many.

    Raises
    ------
    K2CError
        When the bounds are not in order, or there is no batch.

    References
    ----------
    Smith: Cyclical learning rates for training neural networks (2017), section 3.3.
    """
    if not 0 < low < high or steps < 10:
        raise K2CError(
            f"low={low:g}, high={high:g} and steps={steps} must be 0 < low < high, and steps >= 10."
        )
    copied = copy.deepcopy(model).train()
    steering = optimizer([value for value in copied.parameters() if value.requires_grad])
    rates, losses, mean = np.geomspace(low, high, steps), [], 0.0
    device = next(copied.parameters()).device
    for step, (rate, (inputs, targets)) in enumerate(zip(rates, cycle(train), strict=False)):
        for group in steering.param_groups:
            group["lr"] = float(rate)
        measured = loss(copied(inputs.to(device)), targets.to(device))
        value = float(measured.detach())
        mean = _SMOOTHED * mean + (1 - _SMOOTHED) * value
        losses.append(mean / (1 - _SMOOTHED ** (step + 1)))
        if not math.isfinite(value) or losses[-1] > _TOO_HIGH * min(losses):
            losses.pop()
            break
        measured.backward()
        steering.step()
        steering.zero_grad()
    if len(losses) < 3:
        raise K2CError(
            "The search for a learning rate ended at its first steps. Give batches, and a lower `low`."
        )
    found = np.array(losses)
    # Few examples can be learnt by heart at any rate: then the lowest loss says nothing, and where it falls does.
    half = int(np.argmax(found <= (found[0] + found.min()) / 2))
    return RateSearch(rates[: len(found)], found, float(rates[half]))

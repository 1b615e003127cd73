"""What stale gradients do to learning: an asynchronous parameter server's delay, fixed, in one process."""

import math
from collections import deque
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from k2c.errors import K2CError


def train_stale(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    learning_rate: float,
    delay: int,
) -> list[float]:
    """Train with plain SGD, each gradient applied `delay` steps after it was computed.

    Step t changes the weights by the gradient that was computed on batch t - delay, with the weights of that time: what
    a server does whose workers all take `delay` updates of others to answer. Nothing here depends on timing.

    Parameters
    ----------
    model
        It is trained in place.
    batches
        Inputs and targets, one pair for each step. The first `delay` steps change nothing.
    loss
        Called with the model's output and the targets.
    learning_rate
        Of the steps.
    delay
        How many steps a gradient is late; 0 is SGD.

    Returns
    -------
    list of float
        The loss of each batch, with the weights of its step. It ends early where the loss is no number any more.

    Raises
    ------
    K2CError
        For a negative delay.

    References
    ----------
    Zinkevich, Langford, Smola: Slow learners are fast (2009).
    """
    if delay < 0:
        raise K2CError(f"delay is {delay}. A gradient is 0 or more steps late.")
    parameters = list(model.parameters())
    on_their_way: deque[tuple[Tensor, ...]] = deque()
    losses: list[float] = []
    for inputs, targets in batches:
        value = loss(model(inputs), targets)
        losses.append(value.item())
        if not math.isfinite(losses[-1]):
            break
        on_their_way.append(torch.autograd.grad(value, parameters))
        if len(on_their_way) > delay:
            with torch.no_grad():
                for weight, gradient in zip(parameters, on_their_way.popleft(), strict=True):
                    weight.sub_(learning_rate * gradient)
    return losses


def largest_stable_rate(curvature: float, delay: int) -> float:
    """Return the learning rate above which stale gradient descent on a parabola diverges.

    On f(w) = curvature w^2 / 2, steps w <- w - rate * curvature * w_old, with w_old from `delay` steps ago, go to 0
    exactly when rate < 2 sin(pi / (4 delay + 2)) / curvature: 2 / curvature without delay, about
    pi / (2 delay curvature) for a large one.

    References
    ----------
    Levin and May: A note on difference-delay equations (1976).
    """
    return 2 * math.sin(math.pi / (4 * delay + 2)) / curvature

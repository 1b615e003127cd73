"""The kit's small experiments: data that is made in a moment, for lectures, tests and timings."""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import nn
from torch.utils.data import TensorDataset

from k2c.errors import K2CError, unknown
from k2c.metrics import accuracy
from k2c.parallel.job import Experiment, experiment

Parameters = Iterable[nn.Parameter]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,  # with a learning rate of 1, as published (Zeiler, 2012)
}


def optimizer_named(name: str, learning_rate: float) -> Callable[[Parameters], torch.optim.Optimizer]:
    """Return what makes an optimiser of parameters: an experiment's `optimizer`.

    Raises
    ------
    K2CError
        For a name that none has.
    """
    if name not in OPTIMIZERS:
        raise K2CError(unknown("optimizer", name, OPTIMIZERS))
    return partial(OPTIMIZERS[name], lr=learning_rate)


@experiment("blobs")
def blobs(
    epochs: int = 3,
    batch_size: int = 16,
    examples: int = 400,
    hidden: int = 32,
    batch_norm: bool = False,
    optimizer: str = "sgd",
    learning_rate: float = 0.1,
    dtype: str = "float32",
    shuffle: bool = True,
    valid_examples: int = 100,
    measure_accuracy: bool = False,
    seed: int = 0,
) -> Experiment:
    """Points in 8 dimensions around 3 centres, and a network of one hidden layer.

    Parameters
    ----------
    epochs, batch_size, shuffle, seed
        See `Experiment`.
    examples, valid_examples
        How many points to train on, and to measure on (0: none).
    hidden
        Width of the hidden layer.
    batch_norm
        Whether it is batch-normalised, which makes the result depend on who sees which examples.
    optimizer, learning_rate
        See `optimizer_named`.
    measure_accuracy
        Whether to measure it on the validation points (torchmetrics takes seconds to start).
    dtype
        `"float32"` or `"float64"`.
    """
    number = {"float32": torch.float32, "float64": torch.float64}.get(dtype)
    if number is None:
        raise K2CError(f"dtype is {dtype!r}. Use 'float32' or 'float64'.")
    generator = torch.Generator().manual_seed(seed)  # of its own: every worker makes the same data
    targets = torch.randint(3, (examples + valid_examples,), generator=generator)
    centres = 2 * torch.randn(3, 8, generator=generator)
    inputs = (centres[targets] + torch.randn(len(targets), 8, generator=generator)).to(number)
    norm = [nn.BatchNorm1d(hidden)] if batch_norm else []
    model = nn.Sequential(nn.Linear(8, hidden), *norm, nn.Tanh(), nn.Linear(hidden, 3)).to(number)
    valid = TensorDataset(inputs[examples:], targets[examples:]) if valid_examples else None
    return Experiment(
        model=model,
        train=TensorDataset(inputs[:examples], targets[:examples]),
        valid=valid,
        loss=nn.CrossEntropyLoss(),
        optimizer=optimizer_named(optimizer, learning_rate),
        metrics={"accuracy": accuracy(3)} if valid is not None and measure_accuracy else {},
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )

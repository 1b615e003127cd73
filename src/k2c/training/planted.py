"""Training loops with a planted mistake, for the exercise that finds it from the curves alone."""

import numpy as np
import torch
from torch import Tensor, nn

from k2c.errors import K2CError, unknown
from k2c.training.device import cpu_threads

PLANTED = ("right", "no zero_grad", "softmax twice", "evaluated in training mode")
_CLASSES, _FEATURES = 10, 20


def planted_curves(
    mistake: str, seed: int = 0, epochs: int = 25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train a small network with dropout on synthetic data of ten classes, and return its curves.

    Parameters
    ----------
    mistake
        What is wrong with the loop. `"right"`: nothing. `"no zero_grad"`: the gradients of all steps add up.
        `"softmax twice"`: the network ends in a softmax, and the cross-entropy applies another one.
        `"evaluated in training mode"`: dropout stays on while the validation examples are measured.
    seed
        Chooses the data, the first weights and the order of the examples.
    epochs
        Passes over the 600 training examples.

    Returns
    -------
    train_loss, valid_loss, valid_again
        float64 arrays, one value per epoch. `valid_again` repeats the measurement of `valid_loss` at once, with the
        same weights and the same examples.

    Raises
    ------
    K2CError
        When there is no such mistake.
    """
    if mistake not in PLANTED:
        raise K2CError(unknown("mistake", mistake, PLANTED))
    with cpu_threads(1):
        return _train(mistake, seed, epochs)


def _train(mistake: str, seed: int, epochs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        (inputs, targets), held_back = _data(600), _data(300)
        layers = [nn.Linear(_FEATURES, 64), nn.Tanh(), nn.Dropout(0.3), nn.Linear(64, _CLASSES)]
        model = nn.Sequential(*layers, *([nn.Softmax(dim=1)] if mistake == "softmax twice" else []))
        loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
        curves = []
        for _ in range(epochs):
            model.train()
            losses = []
            for batch in torch.randperm(len(inputs)).split(20):
                loss = loss_of(model(inputs[batch]), targets[batch])
                loss.backward()
                optimizer.step()
                if mistake != "no zero_grad":
                    optimizer.zero_grad()
                losses.append(loss.item())
            model.train(mistake == "evaluated in training mode")
            with torch.no_grad():
                valid = [loss_of(model(held_back[0]), held_back[1]).item() for _ in range(2)]
            curves.append((np.mean(losses), *valid))
    train_loss, valid_loss, valid_again = np.array(curves).T
    return train_loss, valid_loss, valid_again


def _data(examples: int) -> tuple[Tensor, Tensor]:
    """Return noisy copies of ten fixed points."""
    points = torch.randn(_CLASSES, _FEATURES, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(examples) % _CLASSES
    return points[targets] + 1.2 * torch.randn(examples, _FEATURES), targets

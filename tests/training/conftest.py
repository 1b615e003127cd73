"""A small problem that trains in milliseconds, and runs of it that can be stopped."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from k2c.training import Checkpoint, InMemoryLoader, LearningRateSchedule, fit


@pytest.fixture(autouse=True)
def one_thread():
    """Tests run beside each other; threads of a tiny model would only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def blobs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 200 points in 8 dimensions around 3 centres: float32 (200, 8) and int64 (200,)."""
    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(3, (200,), generator=generator)
    centres = torch.randn(3, 8, generator=generator) * 2
    return centres[targets] + torch.randn(200, 8, generator=generator), targets


@pytest.fixture
def make_model() -> Callable[[], nn.Module]:
    """Return a maker of the same model every time, dropout included."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3))

    return make


@pytest.fixture
def train(blobs, make_model) -> Callable[..., Any]:
    """Return `train(epochs, **options)`, which fits the model and returns (model, history)."""

    def run(epochs: int, batches: Any = None, lr: float = 0.1, **options: Any) -> Any:
        model = make_model()
        batches = InMemoryLoader(*blobs, batch_size=32, shuffle=True) if batches is None else batches
        options = {"device": "cpu"} | options
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        history = fit(
            model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs, **options
        )
        return model, history

    return run


@pytest.fixture
def data_loader(blobs) -> Callable[..., DataLoader]:
    """Return a maker of an ordinary shuffling DataLoader on the blobs."""
    return lambda **options: DataLoader(TensorDataset(*blobs), batch_size=32, shuffle=True, **options)


@pytest.fixture
def schedule() -> LearningRateSchedule:
    """Return a warm-up of 5 steps into a slow decay."""
    return LearningRateSchedule(lambda step: 0.95**step, warm_up_steps=5)


@pytest.fixture
def checkpoint(tmp_path) -> Checkpoint:
    """Return a checkpoint callback that follows the training loss."""
    return Checkpoint(tmp_path, monitor="train_loss")


@pytest.fixture
def same_weights() -> Callable[[nn.Module, nn.Module], bool]:
    """Return a comparison of two models, bit for bit."""

    def compare(one: nn.Module, other: nn.Module) -> bool:
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        return all(torch.equal(a, b) for a, b in pairs)

    return compare

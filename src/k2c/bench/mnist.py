"""LeNet on MNIST: an epoch of the kit's fast path against an epoch of the usual loop."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from k2c._system.torchvision_compat import import_torchvision
from k2c.bench.comparison import Row, alternate, benchmark, spread, time_row, turns, two_sides
from k2c.datasets import fetch, load_mnist, to_inputs
from k2c.models.lenet import LeNet
from k2c.training import InMemoryLoader, Learner, predict

EPOCHS = 3
BATCH_SIZE = 100
WORKERS = 2
MEAN, STD = (0.1307,), (0.3081,)

# Three epochs end at about 0.988; two such numbers on 10,000 images differ by 0.0015 (one standard error) by
# chance alone, so "equal" is: no more than two of these below.
EQUAL_ACCURACY = 0.003


@dataclass
class _Run:
    model: nn.Module
    train_one_epoch: Callable[[], None]


_run: _Run | None = None


@benchmark("mnist")
def mnist() -> list[Row]:
    """Train both for three epochs in turns; compare the median epoch, then the test accuracy."""
    folder = fetch("mnist")
    epochs = turns(EPOCHS)
    with two_sides() as (ours, reference):
        threads = ours(_start_ours)
        reference(_start_reference, folder)
        times = alternate(lambda: ours(_epoch), lambda: reference(_epoch), epochs)
        accuracies = ours(_test_accuracy), reference(_test_accuracy)
    how = (
        f"{threads} torch threads and no worker against {threads} and {WORKERS} DataLoader workers; "
        f"{epochs} epochs in turns: {spread(times[0])} against {spread(times[1])}"
    )
    return [
        time_row("mnist: LeNet, an epoch", times, target=2.0, detail=how),
        _accuracy_row(epochs, *accuracies),
    ]


def _accuracy_row(epochs: int, ours: float, reference: float) -> Row:
    return Row(
        name=f"mnist: LeNet, test accuracy after {epochs} epochs",
        ours=ours,
        reference=reference,
        unit="fraction",
        ratio=ours / reference,
        target=1 - EQUAL_ACCURACY,
        ok=ours >= reference - EQUAL_ACCURACY,
        detail=f"same model, start, batch size and SGD; equal within {EQUAL_ACCURACY} (chance) or better",
    )


def _start_ours() -> int:
    """Set up the kit's fast path: tensors in memory, channels-last, freed memory kept, fused SGD."""
    global _run
    train = load_mnist().train
    torch.manual_seed(0)
    model = LeNet()
    learner = Learner(
        model,
        InMemoryLoader(to_inputs(train.images), train.labels, BATCH_SIZE, shuffle=True),
        loss=nn.CrossEntropyLoss(),
        optimizer=_sgd(model, fused=True),
        epochs=0,
        device="cpu",
        channels_last=True,
    )

    def one_more() -> None:
        learner.epochs += 1
        learner.fit()

    _run = _Run(model, one_more)
    return torch.get_num_threads()


def _start_reference(folder: Path) -> None:
    """Set up the loop that tutorials show."""
    global _run
    import_torchvision()
    from torchvision import transforms
    from torchvision.datasets import MNIST

    to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    data = MNIST(str(folder), train=True, transform=to_tensor)
    # Linux forks its workers by default; this process was spawned, and would spawn them (much slower).
    start = "fork" if sys.platform == "linux" else None
    loader = DataLoader(
        data, batch_size=BATCH_SIZE, shuffle=True, num_workers=WORKERS, multiprocessing_context=start
    )
    torch.manual_seed(0)
    model = LeNet()
    optimizer = _sgd(model)
    loss_function = nn.CrossEntropyLoss()

    def one_epoch() -> None:
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()

    _run = _Run(model, one_epoch)


def _sgd(model: nn.Module, fused: bool = False) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-5, fused=fused or None)


def _epoch() -> float:
    assert _run is not None
    start = time.perf_counter()
    _run.train_one_epoch()
    return time.perf_counter() - start


def _test_accuracy() -> float:
    assert _run is not None
    test = load_mnist().test
    return (predict(_run.model, to_inputs(test.images)).argmax(1) == test.labels).double().mean().item()

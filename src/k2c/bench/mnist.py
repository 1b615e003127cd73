"""LeNet on MNIST: an epoch of the kit's fast path, in torch and on the kit's kernels, against the usual loop's."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from k2c import kernels
from k2c._system.torchvision_compat import import_torchvision
from k2c.bench.comparison import Row, benchmark, spread, time_row, turns, two_sides
from k2c.datasets import fetch, load_mnist, to_inputs
from k2c.errors import K2CError
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
    """Train each for three epochs in turns; compare the median epoch, then the test accuracy."""
    folder = fetch("mnist")
    epochs = turns(EPOCHS)
    with two_sides() as (ours, reference), two_sides() as (on_kernels, _):
        threads = ours(_start_ours)
        runtime = on_kernels(_start_on_kernels)
        reference(_start_reference, folder)
        sides = [ours, on_kernels, reference] if runtime else [ours, reference]
        measured = [[side(_epoch) for side in sides] for _ in range(epochs)]
        *fast, usual = (list(times) for times in zip(*measured, strict=True))
        *accuracies, of_usual = (side(_test_accuracy) for side in sides)
    how = f"{threads} torch threads and no worker", f"{runtime}, and one torch thread"
    against = f"against {threads} and {WORKERS} DataLoader workers; {epochs} epochs in turns"
    names, targets = ("LeNet", "LeNet on kernels"), (2.0, 4.0)
    rows = []
    for name, target, with_what, times, accuracy in zip(names, targets, how, fast, accuracies, strict=False):
        detail = f"{with_what} {against}: {spread(times)} against {spread(usual)}"
        rows += [time_row(f"mnist: {name}, an epoch", (times, usual), target, detail)]
        rows += [_accuracy_row(name, epochs, accuracy, of_usual)]
    return rows


def _accuracy_row(name: str, epochs: int, ours: float, reference: float) -> Row:
    return Row(
        name=f"mnist: {name}, test accuracy after {epochs} epochs",
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
    torch.manual_seed(0)
    _start_learner(LeNet(), channels_last=True)
    return torch.get_num_threads()


def _start_on_kernels() -> str:
    """Set up the same on the kernels of an OpenCL device; returns the device, or nothing where there is none."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        ops = kernels.open("opencl")
    except K2CError:
        return ""
    _start_learner(kernels.LeNetOnKernels(LeNet(), ops))
    return str(getattr(ops, "runtime", ops.device_name))


def _start_learner(model: nn.Module, channels_last: bool = False) -> None:
    global _run
    train = load_mnist().train
    learner = Learner(
        model,
        InMemoryLoader(to_inputs(train.images), train.labels, BATCH_SIZE, shuffle=True),
        loss=nn.CrossEntropyLoss(),
        optimizer=_sgd(model, fused=True),
        epochs=0,
        device="cpu",
        channels_last=channels_last,
    )

    def one_more() -> None:
        learner.epochs += 1
        learner.fit()

    _run = _Run(model, one_more)


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

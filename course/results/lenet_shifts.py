"""Train LeNet with and without pooling, with several seeds, and shift the digits: course/results/lenet_shifts.csv.

Usage: python course/results/lenet_shifts.py [--seeds 5] [--epochs 3]   (about 10 CPU minutes)
"""

import argparse

import pandas as pd
import torch
from scipy import ndimage
from torch import nn

from k2c.course import write_measured
from k2c.datasets import load_mnist, to_inputs
from k2c.models import LeNet
from k2c.training import InMemoryLoader, fit, predict

SHIFTS = range(7)


def without_pooling() -> LeNet:
    """Return LeNet with convolutions that take every second place, in place of the largest of four."""
    model = LeNet()
    for convolution, pooling in (("conv1", "pool1"), ("conv2", "pool2")):
        getattr(model, convolution).stride = (2, 2)
        setattr(model, pooling, nn.Identity())
    return model


NETWORKS = {"LeNet": LeNet, "no pooling": without_pooling}


def measure(network: str, seed: int, epochs: int, digits, others) -> dict[str, object]:
    """Train with the settings of the source; return accuracies on shifted test digits and on another collection."""
    torch.manual_seed(seed)
    model = NETWORKS[network]()
    batches = InMemoryLoader(
        to_inputs(digits.train.images), digits.train.labels, 100, shuffle=True, seed=seed
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-5)
    fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs, device="cpu",
        channels_last=True)  # fmt: skip

    def right(images, labels) -> torch.Tensor:
        return (predict(model, to_inputs(images)).argmax(dim=1) == labels).float()

    row: dict[str, object] = {"network": network, "seed": seed}
    for n in SHIFTS:
        shifted = torch.from_numpy(ndimage.shift(digits.test.images, (0, 0, n), order=0))
        row[f"shifted by {n}"] = round(right(shifted, digits.test.labels).mean().item(), 4)
    images, labels = others
    read = right(images, labels)
    by_digit = {d: read[labels == d].mean().item() for d in range(10)}
    worst = min(by_digit, key=by_digit.__getitem__)
    return row | {
        "other collection": round(read.mean().item(), 4), "worst digit": worst, "of it": round(by_digit[worst], 4),
    }  # fmt: skip


def main() -> None:
    """Train, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    digits, parts, rows = load_mnist(), load_mnist("digits"), []
    others = torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
    for seed in range(options.seeds):
        for network in NETWORKS:
            rows.append(measure(network, seed, options.epochs, digits, others))
            print(rows[-1], flush=True)
    command = f"python course/results/lenet_shifts.py --seeds {options.seeds} --epochs {options.epochs}"
    about = (
        "CPU, MNIST, batches of 100, SGD: rate 0.05, momentum 0.9, weight decay 1e-5; accuracy on the 10,000 test "
        "digits, shifted to the right, and on the 1,797 digits of scikit-learn's collection"
    )
    write_measured("lenet_shifts", pd.DataFrame(rows), command, about)


if __name__ == "__main__":
    main()

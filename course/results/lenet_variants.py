"""Train the LeNet of the course's source and LeNet-5 of 1998 with several seeds: course/results/lenet_variants.csv.

Usage: python course/results/lenet_variants.py [--seeds 5] [--epochs 5]   (about 20 CPU minutes)
       python course/results/lenet_variants.py --seeds 1 --epochs 20 --networks LeNet --name lenet_20_epochs
"""

import argparse

import pandas as pd
import torch
from torch import nn

from k2c.course import write_measured
from k2c.datasets import load_mnist, to_inputs
from k2c.models import LeNet, LeNet5
from k2c.training import Callback, InMemoryLoader, fit, predict

NETWORKS = {"LeNet": LeNet, "LeNet-5": LeNet5}


def train(network: str, seed: int, epochs: int, digits) -> pd.DataFrame:
    """Return the test accuracy after each epoch, with the settings of the source, and which digits were right."""
    torch.manual_seed(seed)
    model = NETWORKS[network]()
    inputs = to_inputs(digits.test.images)
    rows = []

    class Measure(Callback):
        def after_epoch(self, learner):
            right = predict(model, inputs).argmax(dim=1) == digits.test.labels
            wrong = " ".join(map(str, torch.nonzero(~right).flatten().tolist()))
            last = learner.history.rows[-1]
            rows.append({"network": network, "seed": seed, "epoch": last["epoch"],
                         "train_loss": round(last["train_loss"], 5),
                         "errors": int((~right).sum()), "wrong": wrong})  # fmt: skip

    batches = InMemoryLoader(
        to_inputs(digits.train.images), digits.train.labels, 100, shuffle=True, seed=seed
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-5)
    fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs, callbacks=[Measure()],
        device="cpu", channels_last=True)  # fmt: skip
    return pd.DataFrame(rows)


ABOUT = "CPU, MNIST, batches of 100, SGD: rate 0.05, momentum 0.9, weight decay 1e-5; errors on the 10,000 test digits"


def main() -> None:
    """Train, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--name", default="lenet_variants")
    options = parser.parse_args()
    digits, parts = load_mnist(), []
    command = (
        f"python course/results/lenet_variants.py --seeds {options.seeds} --epochs {options.epochs} "
        f"--networks {' '.join(options.networks)} --name {options.name}"
    )
    for seed in range(options.seeds):
        for network in options.networks:
            parts.append(train(network, seed, options.epochs, digits))
            print(parts[-1].drop(columns="wrong").tail(1).to_string(header=False), flush=True)
            write_measured(options.name, pd.concat(parts), command, ABOUT)


if __name__ == "__main__":
    main()

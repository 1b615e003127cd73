"""How many steps a target takes: scaling_to_target.csv, staleness.csv and warm_up.csv in course/results.

Usage: python course/results/steps_to_target.py scaling_to_target | staleness | warm_up   (1 to 4 CPU minutes each, the
first one 15)
"""

import argparse
from itertools import islice, pairwise, product

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from k2c.course import write_measured
from k2c.datasets import load_mnist, to_inputs
from k2c.datasets.chest import synthetic_chest
from k2c.models import backbone, on_grid, pooled_features
from k2c.parallel import train_stale
from k2c.training import MultiLabelLoss

Examples = tuple[Tensor, Tensor]
BATCHES = (32, 64, 256, 512, 1024, 2048, 4096)
# Of the rate in proportion: the grid that "tuned" is chosen from.
FACTORS = (1.0, 2.0, 0.5, 4.0, 0.25, 8.0, 0.125, 16.0)
SEEDS = {"films": 5, "digits": 3}  # digits are not tuned
TUNING_SEEDS = (100, 101)  # other than those that are reported
DELAYS, RATES = (0, 1, 2, 4, 8, 16), (0.4, 0.2, 0.1, 0.05, 0.025, 0.0125)
SAID = {
    "scaling_to_target": "films: MLP 3712-64-14 on frozen grid features of 6,000 synthetic films, momentum 0.9, rate "
    "0.02 at batch 16, target: loss 0.20 on 2,000 others; digits: MLP 196-64-64-10 on MNIST, SGD, rate 0.03 at batch "
    "64, target: loss 0.20 on the test set; an incomplete batch at the end of a pass is dropped; rate in proportion to "
    "the batch, the fixed rate of batch 64, or (films) tuned: of 1/8 to 16 times the rate in proportion the one that "
    "needs the fewest epochs over two other seeds; nothing where the target is not reached within 12 epochs",
    "staleness": "MLP 196-64-64-10 on MNIST, SGD, batch 64, 600 steps; loss on the test set by delay and rate, "
    "after the last step; nothing where it diverged",
    "warm_up": "MLP 196-128-128-128-10 on MNIST, momentum 0.9, batch 512, 4 epochs, the rate rising linearly in the "
    "first epochs; steps until the test loss falls below 0.20, none where it does not",
}


def digits() -> tuple[Examples, Examples]:
    """Return MNIST's training and test digits at 14 x 14."""
    data = load_mnist()
    return tuple(
        (F.avg_pool2d(to_inputs(part.images), 2).flatten(1), part.labels) for part in (data.train, data.test)
    )


def films(n: int = 6000, n_test: int = 2000) -> tuple[Examples, Examples]:
    """Return the grid features of synthetic films, standardised, and their labels."""
    network, found = on_grid(backbone()), []
    for count, seed in ((n, 101), (n_test, 202)):
        data = synthetic_chest(count, size=64, seed=seed, enriched=0.5)
        found.append((torch.tensor(pooled_features(network, data, size=64)), torch.tensor(data.labels)))
    (x, y), (x_test, y_test) = found
    mean, std = x.mean(dim=0), x.std(dim=0) + 1e-6
    return ((x - mean) / std, y), ((x_test - mean) / std, y_test)


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for width, next_width in pairwise(widths):
        layers += [nn.Linear(width, next_width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batches(train: Examples, size: int, seed: int):
    """Yield batches without end, in a new order each epoch."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for rows in torch.randperm(len(train[0]), generator=generator).split(size):
            if len(rows) == size:
                yield train[0][rows], train[1][rows]


def steps_to(target: float, model, train, test, loss, batch_size, rate, momentum, seed, epochs, warm_up=0.0):
    """Return after how many steps the loss on the test examples is below the target; None if never."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    an_epoch = len(train[0]) / batch_size
    every = max(1, int(an_epoch / 40))
    for step, (x, y) in enumerate(islice(batches(train, batch_size, seed), int(epochs * an_epoch)), start=1):
        if warm_up:
            optimizer.param_groups[0]["lr"] = rate * min(1.0, step / (warm_up * an_epoch))
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
        if step % every == 0:
            with torch.inference_mode():
                value = loss(model(test[0]), test[1]).item()
            if value < target:
                return step
            if not value < 1e3:  # NaN, too
                return None
    return None


class Task:
    """One of the two tasks: its examples, and how many epochs a batch, a rate and a seed take to the target."""

    def __init__(self, name: str) -> None:
        self.train, self.test = films() if name == "films" else digits()
        self.is_films = name == "films"
        self.rate = 0.02 / 16 if self.is_films else 0.03 / 64  # of one example

    def steps(self, size: int, rate: float, seed: int, epochs: float = 12.0) -> int | None:
        """Return the number of steps, None where they are more than so many epochs."""
        torch.manual_seed(seed)
        if not self.is_films:
            how = mlp(196, 64, 64, 10), self.train, self.test, nn.CrossEntropyLoss(), size, rate, 0.0
            return steps_to(0.20, *how, seed, epochs)
        model = mlp(self.train[0].shape[1], 64, 14)
        nn.init.zeros_(model[-1].weight)
        frequency = self.train[1].mean(dim=0)
        model[-1].bias.data = torch.log(frequency / (1 - frequency))
        return steps_to(0.20, model, self.train, self.test, MultiLabelLoss(), size, rate, 0.9, seed, epochs)

    def tuned(self, size: int) -> float | None:
        """Return the rate of the grid that needs the fewest steps over the tuning seeds, None if none arrives."""
        best, fewest = None, None
        for factor in FACTORS:
            # A rate that needs many more steps than the best so far cannot win.
            epochs = 12.0 if fewest is None else min(12.0, 1.5 * fewest * size / len(self.train[0]))
            found: list[int] = []
            for seed in TUNING_SEEDS:
                steps = self.steps(size, factor * self.rate * size, seed, epochs)
                if steps is None:
                    break
                found.append(steps)
            if len(found) == len(TUNING_SEEDS) and (fewest is None or sum(found) / len(found) < fewest):
                best, fewest = factor * self.rate * size, sum(found) / len(found)
        return best


def scaling_to_target() -> list[dict]:
    """Return steps and epochs to the target by batch, with the rate in proportion, one fixed rate, and a tuned one."""
    rows = []
    for name, seeds in SEEDS.items():
        task = Task(name)
        for size in BATCHES if task.is_films else BATCHES[1:]:
            rates = {"in proportion": task.rate * size, "fixed": task.rate * 64}
            if task.is_films:
                rates["tuned"] = task.tuned(size)
            for (rule, rate), seed in product(rates.items(), range(seeds)):
                steps = None if rate is None else task.steps(size, rate, seed)
                epochs = None if steps is None else round(steps * size / len(task.train[0]), 3)
                rows.append({"task": name, "rate": rule, "batch": size, "learning_rate": rate, "seed": seed,
                             "steps": steps, "epochs": epochs})  # fmt: skip
                print(rows[-1], flush=True)
    return rows


def staleness(seeds: int = 3, delays=DELAYS, rates=RATES, steps: int = 600) -> list[dict]:
    """Return the test loss after so many steps, by delay and learning rate."""
    train, test = digits()
    rows = []
    for delay in delays:
        for rate in rates:
            for seed in range(seeds):
                torch.manual_seed(seed)
                model = mlp(196, 64, 64, 10)
                losses = train_stale(
                    model, islice(batches(train, 64, seed), steps), nn.CrossEntropyLoss(), rate, delay
                )
                with torch.inference_mode():
                    value = nn.CrossEntropyLoss()(model(test[0]), test[1]).item()
                arrived = len(losses) == steps and value < 10
                rows.append(
                    {"delay": delay, "rate": rate, "seed": seed, "loss": round(value, 4) if arrived else None}
                )
            print(rows[-1], flush=True)
    return rows


def warm_up(seeds: int = 5, rates=(0.1, 0.2, 0.4), warm_ups=(0, 1, 2)) -> list[dict]:
    """Return whether the target is reached within 4 epochs, by rate and epochs of warm-up."""
    train, test = digits()
    rows = []
    for rate in rates:
        for epochs in warm_ups:
            for seed in range(seeds):
                torch.manual_seed(seed)
                found = steps_to(0.20, mlp(196, 128, 128, 128, 10), train, test, nn.CrossEntropyLoss(), 512, rate,
                                 0.9, seed, epochs=4, warm_up=epochs)  # fmt: skip
                rows.append({"rate": rate, "warm_up": epochs, "seed": seed, "steps": found})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=list(SAID))
    name = parser.parse_args().table
    torch.set_num_threads(1)
    rows = {"scaling_to_target": scaling_to_target, "staleness": staleness, "warm_up": warm_up}[name]()
    table = pd.DataFrame(rows)
    if "steps" in table:
        table["steps"] = table["steps"].astype("Int64")
    write_measured(
        name, table, f"python course/results/steps_to_target.py {name}", f"CPU, one thread, {SAID[name]}"
    )


if __name__ == "__main__":
    main()

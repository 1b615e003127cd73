"""Search against grid: course/results/lenet_tuning.csv.

Usage: python course/results/lenet_tuning.py [PART ...]   (grid, search; about 20 CPU minutes)

Every row is one training run of lecture 2's LeNet with the settings of course/batches/lenet_optimisers.yml (one epoch
over 10,000 digits), measured on 10,000 training digits that it never saw (validation) and on the 10,000 test digits.

grid    the 24 settings of the batch file, 3 seeds each
search  5 searches of the kit (seeds 0 to 4) over the same ranges, 24 runs each, for validation accuracy
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import pandas as pd
import torch
from torch import nn

import k2c
from k2c.course import write_measured
from k2c.datasets import load_mnist, to_inputs
from k2c.models import LeNet
from k2c.runs.batch import Store, plan_batch
from k2c.runs.batch.search import Search
from k2c.training import InMemoryLoader, fit, predict

RATES, MOMENTA = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], [0.0, 0.5, 0.9, 0.99]
BATCH = """\
lecture: 02_lenet_mnist
sweep:
  search:
    parameters: {{learning_rate: {{log_uniform: [0.001, 0.3]}}, momentum: {{uniform: [0, 0.99]}}}}
    objective: validation accuracy
    budget: {{runs: 24}}
    seed: {seed}
"""
ABOUT = (
    "CPU, MNIST: one epoch over the first 10,000 training digits in batches of 100, weight decay 1e-5; "
    "validation: training digits 50,001 to 60,000; test: the 10,000 test digits"
)


class Trainer:
    """Trains one setting after another, and writes a row for each."""

    def __init__(self, name: str) -> None:
        self.name, self.rows = name, []
        train, test = load_mnist()
        few = train.subset(slice(10_000))
        self.inputs, self.labels = to_inputs(few.images), few.labels
        self.parts = {"validation": train.subset(slice(50_000, 60_000)), "test": test}
        self.parts = {name: (to_inputs(part.images), part.labels) for name, part in self.parts.items()}

    def row(
        self, part: str, number: int, learning_rate: float, momentum: float, seed: int
    ) -> dict[str, float]:
        """Train, as lecture 2 does, and return what was measured."""
        torch.manual_seed(seed)
        model = LeNet()
        batches = InMemoryLoader(self.inputs, self.labels, 100, shuffle=True, seed=seed)
        optimizer = torch.optim.SGD(
            model.parameters(), lr=learning_rate, momentum=momentum, weight_decay=1e-5, fused=True
        )
        measured = {
            "part": part,
            "number": number,
            "learning_rate": learning_rate,
            "momentum": momentum,
            "seed": seed,
        }
        try:
            fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=1, device="cpu",
                channels_last=True)  # fmt: skip
            for name, (inputs, labels) in self.parts.items():
                measured[name] = (predict(model, inputs).argmax(dim=1) == labels).float().mean().item()
        except k2c.K2CError:  # the loss became infinite
            measured |= dict.fromkeys(self.parts, float("nan"))
        self.rows.append(measured)
        print(measured, flush=True)
        table = pd.DataFrame(self.rows).round({"validation": 4, "test": 4})
        write_measured(self.name, table, "python course/results/lenet_tuning.py", ABOUT, ("torch", "optuna"))
        return measured


def search(trainer: Trainer, seed: int) -> None:
    """Let the kit search, with one of its runs after another made here in place of a notebook."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "search.yml").write_text(BATCH.format(seed=seed))
        plan = plan_batch(Path(name) / "search.yml", Path(name) / "out")
        proposing = Search(plan, Store(Path(name) / "out"))
        while not proposing.over:
            for run in proposing.ask():
                row = trainer.row(f"search {seed}", len(plan.runs), **run.varied, seed=0)
                good = row["validation"] == row["validation"]
                results = {"recorded": {"validation accuracy": row["validation"]}}
                proposing.tell(run.id, "ok" if good else "failed", 1.0, results)


def main() -> None:
    """Train all parts, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", default=["grid", "search"])
    options = parser.parse_args()
    whole = len(options.parts) == 2
    trainer = Trainer("lenet_tuning" if whole else f"lenet_tuning_{'_'.join(options.parts)}")
    if "grid" in options.parts:
        for number, setting in enumerate(itertools.product(RATES, MOMENTA, range(3)), start=1):
            trainer.row("grid", number, *setting)
    if "search" in options.parts:
        for seed in range(5):
            search(trainer, seed)


if __name__ == "__main__":
    main()

"""Lecture 6's constructions on real chest films, which cannot ship: real_films.csv in this folder.

Usage: python course/results/real_films.py FOLDER   (about 2 CPU minutes)

FOLDER holds the films and a CSV file of their labels, one of the 14 findings per column (see `k2c.datasets.chest`).
"""

import argparse

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from k2c.course import write_measured
from k2c.datasets.chest import FINDINGS, load_chest
from k2c.metrics import multilabel_table
from k2c.models import backbone, on_grid, pooled_features, train_head
from k2c.parallel import films

FOLDS = 5


def scores(head, features) -> np.ndarray:
    """Return a head's probabilities, float32 (N, 14)."""
    with torch.inference_mode():
        return head(torch.tensor(features)).sigmoid().numpy()


def out_of_fold(features, data, seed: int = 0) -> np.ndarray:
    """Return each film's probabilities from a head trained on the films of other patients."""
    patients = np.unique(data.patients)
    fold_of = dict(
        zip(np.random.default_rng(seed).permutation(patients), np.arange(len(patients)) % FOLDS, strict=True)
    )
    fold, found = (
        np.array([fold_of[one] for one in data.patients]),
        np.empty((len(data), len(FINDINGS)), np.float32),
    )
    for k in range(FOLDS):
        head = train_head(features[fold != k], data.labels[fold != k], seed=seed)
        found[fold == k] = scores(head, features[fold == k])
    return found


def measure(folder: str) -> pd.DataFrame:
    """Return the macro AUC of each construction on the real films, with its interval and its order of findings."""
    real, (train, test) = (
        load_chest(folder),
        films(n_films=1500, image_size=64, enriched=0.5, label_noise=0.1),
    )
    truth = test.table[[f"true_{name}" for name in FINDINGS]].to_numpy(float)
    grid = on_grid(backbone())
    drawn = train_head(pooled_features(grid, train, size=64), train.labels)
    found = {
        ("grid head", "real films", 128): (out_of_fold(pooled_features(grid, real, size=128), real), real.labels),
        ("pooled features", "real films", 128): (
            out_of_fold(pooled_features(backbone(), real, size=128), real), real.labels
        ),
        ("grid head", "real films", 64): (out_of_fold(pooled_features(grid, real, size=64), real), real.labels),
        ("grid head", "synthetic films", 64): (scores(drawn, pooled_features(grid, real, size=64)), real.labels),
        ("grid head", "synthetic films, tested on synthetic films", 64): (
            scores(drawn, pooled_features(grid, test, size=64)), truth
        ),
    }  # fmt: skip
    tables = {
        name: multilabel_table(each, known, FINDINGS, samples=1000) for name, (each, known) in found.items()
    }
    easy = tables[list(tables)[-1]]["ROC AUC"].iloc[:-1]
    rows = []
    for (construction, trained, size), table in tables.items():
        auc, low, high = table[["ROC AUC", "AUC, low", "AUC, high"]].iloc[-1]
        order = spearmanr(table["ROC AUC"].iloc[:-1], easy, nan_policy="omit").statistic
        rows.append({"construction": construction, "trained on": trained, "pixels": size, "macro AUC": auc,
                     "low": low, "high": high, "rank correlation with synthetic": order})  # fmt: skip
    return pd.DataFrame(rows).round(3)


def main() -> None:
    """Measure, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    table = measure(parser.parse_args().folder)
    print(table.to_string())
    about = (
        f"CPU, FOLDER with 400 films of ChestX-ray14 of 400 patients; {FOLDS} folds by patient where trained on real "
        "films; macro ROC AUC, 95% bootstrap interval; the rank correlation is of the findings' AUCs with those of the "
        "last row"
    )
    write_measured("real_films", table, "python course/results/real_films.py FOLDER", about)


if __name__ == "__main__":
    main()

"""Ask the pretrained network about labelled photographs that cannot ship: the tables of lecture 3 in this folder.

Usage: python course/results/pretrained_photographs.py FOLDER   (about 2 CPU minutes)

FOLDER holds labels.csv (columns file, index: the class, 0 to 999) and the photographs. `calibration_halves.csv`: fit a
temperature on a random half, report on the other half. `cat_confusions.csv`: crops of every photograph of a house cat,
and of the sample photograph that ships.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from k2c.course import write_measured
from k2c.datasets import read_image, sample_photograph
from k2c.metrics import calibration_error, fit_temperature, how_sure
from k2c.models import backbone, class_index, image_logits

CATS = ["tabby", "tiger cat", "Egyptian cat", "Persian cat", "Siamese cat"]
HALVES, CROPS = 200, 200


def crops(photograph: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """Return random squares of 0.4 to 1 of the shorter side, half of them mirrored."""
    random, found = np.random.default_rng(seed), []
    for _ in range(count):
        edge = int(random.uniform(0.4, 1) * min(photograph.shape[:2]))
        top, left = (random.integers(length - edge + 1) for length in photograph.shape[:2])
        square = photograph[top : top + edge, left : left + edge]
        found.append(square[:, ::-1] if random.random() < 0.5 else square)
    return found


def confusions(network, photographs: dict[str, np.ndarray], count: int = CROPS) -> pd.DataFrame:
    """Return for each photograph how often each cat is the first answer of its crops, and the cats' probability."""
    rows, numbers = [], [class_index(name) for name in CATS]
    for name, photograph in photographs.items():
        probabilities = image_logits(network, crops(photograph, count)).softmax(dim=1)
        first = probabilities.argmax(dim=1)
        fractions = {
            cat: (first == number).float().mean().item() for cat, number in zip(CATS, numbers, strict=True)
        }
        five = probabilities[:, numbers].sum(dim=1)
        rows.append({"photograph": name, "crops": count, **fractions, "another name": 1 - sum(fractions.values()),
                     "five cats": five.mean().item(), "its standard deviation": five.std().item()})  # fmt: skip
    return pd.DataFrame(rows).round(3)


def halves(logits: torch.Tensor, targets: torch.Tensor, count: int = HALVES) -> pd.DataFrame:
    """Return temperature and calibration of random halves: fitted on one, reported on the other.

    `error if calibrated` is what chance alone shows: answers drawn as right with the network's own confidence.
    """
    rows = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        order = random.permutation(len(targets))
        fit, report = order[: len(order) // 2], order[len(order) // 2 :]
        temperature = fit_temperature(logits[fit], targets[fit])
        before, after = (how_sure(logits[report], targets[report], t) for t in (1.0, temperature))
        drawn = random.random(len(report)) < after["confidence"]
        rows.append({"split": seed, "temperature": temperature, "right": before["right"].mean(),
                     "sure before": before["confidence"].mean(), "sure after": after["confidence"].mean(),
                     "error before": calibration_error(before["confidence"], before["right"]),
                     "error after": calibration_error(after["confidence"], after["right"]),
                     "error if calibrated": calibration_error(after["confidence"], drawn)})  # fmt: skip
    return pd.DataFrame(rows).round(4)


NETWORK = "efficientnet_lite0"
COMMAND = "python course/results/pretrained_photographs.py FOLDER"


def main() -> None:
    """Ask about all photographs, and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    labels, network = pd.read_csv(folder / "labels.csv"), backbone(NETWORK)
    logits = image_logits(network, (read_image(folder / file) for file in labels["file"]))
    table = halves(logits, torch.tensor(labels["index"].tolist()))
    about = f"CPU, {NETWORK}, {len(labels)} photographs of ImageNet, one per class, {HALVES} random halves"
    write_measured("calibration_halves", table, COMMAND, about)
    print(table.describe())
    numbers = [class_index(name) for name in CATS]
    cats = labels[labels["index"].isin(numbers)]
    photographs = {f"ImageNet, {CATS[numbers.index(row.index_)]}": read_image(folder / row.file)
                   for row in cats.rename(columns={"index": "index_"}).itertuples()}  # fmt: skip
    table = confusions(network, {"the sample, Chelsea": sample_photograph("cat"), **photographs})
    others = logits[~labels["index"].isin(numbers).to_numpy()]
    taken = torch.isin(others.argmax(dim=1), torch.tensor(numbers)).sum().item()
    about = f"CPU, {NETWORK}, {CROPS} crops of 0.4 to 1 of the shorter side, half of them mirrored"
    taken_for = f"{taken} of {len(others)} photographs of other classes are taken for one of the five cats"
    write_measured("cat_confusions", table, COMMAND, f"{about}; {taken_for}")
    print(table.to_string())


if __name__ == "__main__":
    main()

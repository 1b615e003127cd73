"""Five seeds of lecture 6's networks and of compressed gradients: densenet_against_vgg.csv and its neighbours.

Usage: python course/results/chest_networks.py densenet_against_vgg | grad_cam | compression   (3 to 6 CPU minutes each)
"""

import argparse
from itertools import product

import numpy as np
import pandas as pd
import torch

from k2c import parallel
from k2c.course import write_measured
from k2c.datasets.chest import FINDINGS
from k2c.metrics import compare, holm, roc_auc
from k2c.models import backbone, evidence_inside, grad_cam, on_grid, pooled_features, train_head
from k2c.models.chexnet import CheXNet, chexnet
from k2c.parallel import Job, film_inputs, films
from k2c.training import InMemoryLoader, MultiLabelLoss, fit, predict

SAID = {
    "densenet_against_vgg": "1,500 synthetic films of 64 px, a third held out, a tenth of the labels wrong; small "
    "networks, Adadelta 1.0, batches of 32, 6 epochs; mean ROC AUC over the seeds by finding, measured against the "
    "truth; VGG minus DenseNet, paired, resampled by patient and seed; p corrected by Holm over 14 findings",
    "grad_cam": "the small DenseNet of densenet_against_vgg, trained for 6 epochs from five seeds, and never "
    "trained: positive Grad-CAM inside the finding's mask over the mask's fraction of the area, the same for the "
    "mask of another film with that finding, and the difference; means over all held-out positives",
    "compression": "the training loss of the twelfth epoch; a linear layer on frozen grid features of 320 synthetic "
    "films (the job grid_head), two workers with batches of 16, Adam; each seed has its own films and order",
}
NETWORKS = {"VGG": "small_vgg", "DenseNet": "small_densenet"}
KINDS = {
    "as they are": {},
    "fp16": {"compression": "fp16"},
    "PowerSGD": {"compression": "powersgd"},
    "4 batches a step": {"accumulate": 4},
}


def scores_of(name: str, seed: int, epochs: int, train, test) -> np.ndarray:
    """Train one network from its seed; return its probabilities on the held-out films, float32 (N, 14)."""
    if name == "grid head":
        network = on_grid(backbone())
        learnt, asked = (pooled_features(network, part, size=64) for part in (train, test))
        model, inputs = train_head(learnt, train.labels, seed=seed), torch.tensor(asked)
    else:
        model, inputs = trained(name, seed, epochs, train), film_inputs(test, 64)
    return predict(model.eval(), inputs).sigmoid().numpy()


def trained(name: str, seed: int, epochs: int, train) -> CheXNet:
    """Return one network, trained from its seed; with no epochs, as it begins."""
    torch.manual_seed(seed)
    model = chexnet(NETWORKS[name], pretrained=False, bias="prior", labels=train.labels)
    if epochs:
        batches = InMemoryLoader(
            film_inputs(train, 64), torch.tensor(train.labels), 32, shuffle=True, seed=seed
        )
        optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
        fit(model, batches, loss=MultiLabelLoss(), optimizer=optimizer, epochs=epochs, device="cpu")
    return model.eval()


def grad_cam_inside(seeds: int = 5, epochs: int = 6, n: int = 1500) -> list[dict]:
    """Return how much of Grad-CAM's evidence lies on the finding, by seed, for trained and untrained networks."""
    train, test = films(n_films=n, image_size=64, enriched=0.5, label_noise=0.1, seed=0)
    truth = test.table[[f"true_{name}" for name in FINDINGS]].to_numpy(float)
    masks, inputs = {row: test.masks(row) for row in np.flatnonzero(truth.any(axis=1))}, film_inputs(test, 64)
    rows = []
    for kind, seed in product(("trained", "never trained"), range(seeds)):
        model, own, other = trained("DenseNet", seed, epochs if kind == "trained" else 0, train), [], []
        for k, finding in enumerate(FINDINGS):
            films_with = [r for r in masks if truth[r, k] == 1 and masks[r][finding].any()]
            maps = grad_cam(model, inputs[films_with], k)
            found = evidence_inside(maps, [masks[r][finding] for r in films_with])
            own, other = [*own, *found.own], [*other, *found.other]
        row = {"own": np.mean(own), "other": np.mean(other), "difference": np.mean(own) - np.mean(other)}
        rows.append({"network": kind, "seed": seed} | {name: round(v, 4) for name, v in row.items()})
        print(rows[-1], flush=True)
    return rows


def densenet_against_vgg(seeds: int = 5, epochs: int = 6, n: int = 1500) -> list[dict]:
    """Return the AUC of each network by finding, and the paired difference of the two convolutional ones."""
    train, test = films(n_films=n, image_size=64, enriched=0.5, label_noise=0.1, seed=0)
    truth = test.table[[f"true_{name}" for name in FINDINGS]].to_numpy(float)
    scores = {
        name: np.stack([scores_of(name, seed, epochs, train, test) for seed in range(seeds)])
        for name in [*NETWORKS, "grid head"]
    }
    rows = []
    for k, finding in enumerate(FINDINGS):
        pair = compare(scores["VGG"][:, :, k], scores["DenseNet"][:, :, k], truth[:, k], test.patients)
        means = {
            name: np.mean([roc_auc(s[:, k], truth[:, k]) for s in each]) for name, each in scores.items()
        }
        found = {"difference": pair.difference, "low": pair.low, "high": pair.high, "p": pair.p_value}
        rows.append({"finding": finding, "films": int(truth[:, k].sum())} | means | found)
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["corrected"] = corrected
    return [{name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()} for row in rows]


def compression(seeds: int = 5, epochs: int = 12) -> list[dict]:
    """Return the last training loss by seed and by how the gradients travel."""
    rows = []
    for seed in range(seeds):
        options = {"n_films": 480, "label_noise": 0.1, "dtype": "float32", "batch_size": 16, "epochs": epochs}
        for kind, how in KINDS.items():
            loss = parallel.train("all_reduce", Job("grid_head", options | {"seed": seed}), 2, **how).last[
                "train_loss"
            ]
            rows.append({"kind": kind, "seed": seed, "loss": round(loss, 5)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=list(SAID))
    name = parser.parse_args().table
    rows = {
        "densenet_against_vgg": densenet_against_vgg,
        "grad_cam": grad_cam_inside,
        "compression": compression,
    }[name]()
    write_measured(
        name, pd.DataFrame(rows), f"python course/results/chest_networks.py {name}", f"CPU, {SAID[name]}"
    )


if __name__ == "__main__":
    main()

"""Measure every stage of lecture 5 with five seeds: course/results/fundus_*.csv.

Usage: python course/results/fundus_stages.py WHAT       (synthetic, controls, augmentation, lookalikes or scores)
       K2C_REALDATA=FOLDER python course/results/fundus_stages.py WHAT         (real or resolution)

Each takes about 5 to 10 minutes of one core.

Each seed has its own folds, its own first weights and its own graders. An eye is scored by a head that saw neither eye
of its patient; its score is its rank in its fold. Stages are compared on all eyes, resampled by patient. `loss` is the
weighted cross-entropy of the unseen eyes: the mean of epochs 6 to 10 (early), of the last five (late), and the standard
deviation over the seeds of late minus early; so are `auc_early`, `auc_late` and `auc_fall_sd`.
"""

import argparse
import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from k2c._system.torchvision_compat import import_torchmetrics
from k2c.course import write_measured
from k2c.datasets import LabelledImages, folds_by_patient, quality_scores
from k2c.datasets.fundus import load_fundus
from k2c.metrics import class_cross_entropy, compare, holm, roc_auc
from k2c.models import TransferModel, backbone, pooled_features
from k2c.models.explain import with_random_weights
from k2c.synthetic.fundus import adjudicate, difficulty, grade_eyes
from k2c.training import (
    BalancedLoader,
    GaussianNoise,
    InMemoryLoader,
    OneVariant,
    Rotate180,
    WeightedSoftmax,
    class_weights,
    fit,
    predict,
)

EYES, PREVALENCE, LOOKALIKES, BLUR = 1600, 0.05, 0.1, 0.4
SIGMAS = (0.02, 0.1, 0.2)
FACTS = "CPU, EfficientNet-Lite0 frozen, head of 128, 30 epochs, AdamW 0.001, batches of 32"
SAMPLES, REAL_SAMPLES = (
    1000,
    4000,
)  # resamples of the patients for an interval: synthetic eyes, real photographs


class Blurred(nn.Module):
    """A photograph out of focus: the blur of the synthetic eyes, 3 pixels of 224."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the batch, blurred."""
        from torchvision.transforms.functional import gaussian_blur

        sigma = 3.0 * batch.shape[-1] / 224
        return gaussian_blur(batch, 2 * int(3 * sigma) + 1, sigma)

    def extra_repr(self) -> str:
        """Return the settings, which name cached features."""
        return "sigma=3 of 224"


def noise(trunk, sigma: float) -> GaussianNoise:
    """Return noise of a fraction of the pixels' range, in the network's own units."""
    ends = trunk.preprocessing.standardise(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    return GaussianNoise(sigma, (ends.min().item(), ends.max().item()))


class Bench:
    """Heads trained out of fold, for one set of eyes."""

    def __init__(self, data: LabelledImages, truth: np.ndarray, trunk, folds: int, seeds: int) -> None:
        self.data, self.truth, self.trunk, self.seeds = data.with_columns(label=truth), truth, trunk, seeds
        self.folds = [list(folds_by_patient(self.data, folds, seed)) for seed in range(seeds)]
        self.rows: list[dict] = []
        self.scores: dict[str, np.ndarray] = {}

    def stage(self, name: str, features, labels=None, *, test=None, kind="balanced", keep=None) -> np.ndarray:
        """Score all eyes with each seed, float64 (S, N); `labels` may be a function of the seed."""
        test = features if test is None else test
        all_scores, wrong = np.zeros((self.seeds, len(self.truth))), []
        curves: list[list[np.ndarray]] = [[] for _ in self.folds]
        ranked: list[list[np.ndarray]] = [[] for _ in self.folds]
        for seed, folds in enumerate(self.folds):
            given = self.truth if labels is None else labels(seed) if callable(labels) else labels
            wrong.append((given != self.truth).sum())
            for learn, judge in folds:
                learn = learn[keep[learn]] if keep is not None else learn
                unseen = torch.tensor(np.ascontiguousarray(test[judge])), torch.tensor(self.truth[judge])
                scores, curve, auc = self._scores(features[learn], given[learn], unseen, kind, seed)
                curves[seed].append(curve)
                ranked[seed].append(auc)
                all_scores[seed, judge] = np.argsort(np.argsort(scores)) / len(judge)
        self.scores[name] = all_scores
        row = {"stage": name, "auc": np.mean([roc_auc(row, self.truth) for row in all_scores])}
        row["auc_sd"] = np.std([roc_auc(row, self.truth) for row in all_scores], ddof=1)
        curve = np.mean(curves, axis=1)  # weighted cross-entropy, over the folds: (seeds, epochs)
        early, late = (curve[:, part].mean(axis=1) for part in (slice(5, 10), slice(-5, None)))
        row |= {
            "loss_early": early.mean(),
            "loss_late": late.mean(),
            "loss_rise_sd": np.std(late - early, ddof=1),
        }
        best, end = (
            np.mean(ranked, axis=1)[:, part].mean(axis=1) for part in (slice(5, 10), slice(-5, None))
        )
        row |= {"auc_early": best.mean(), "auc_late": end.mean(), "auc_fall_sd": np.std(end - best, ddof=1)}
        self.rows.append(row | {"wrong_labels": np.mean(wrong)})
        print(
            name,
            {key: round(float(value), 3) for key, value in self.rows[-1].items() if key != "stage"},
            flush=True,
        )
        return all_scores

    def _scores(self, inputs, labels, unseen, kind: str, seed: int) -> tuple[np.ndarray, ...]:
        torch.manual_seed(seed)
        head = TransferModel(self.trunk).head
        if kind == "static":  # all positives and as many negatives, drawn once
            positive, negative = (np.flatnonzero(labels == value) for value in (1, 0))
            drawn = np.random.default_rng(seed).choice(
                negative, min(len(positive), len(negative)), replace=False
            )
            inputs, labels = (part[np.r_[positive, drawn]] for part in (inputs, labels))
        x, y = torch.tensor(np.ascontiguousarray(inputs)), torch.tensor(labels)
        options = {"batch_size": 32, "seed": seed, "transform": OneVariant() if x.ndim == 3 else None}
        if kind == "balanced":
            batches = BalancedLoader(x, y, **options)
        else:
            batches = InMemoryLoader(x, y, shuffle=True, **options)
        loss = WeightedSoftmax(class_weights(labels) if kind == "weighted" else (1.0, 1.0))
        optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
        watched = InMemoryLoader(*unseen, 1000)
        area = import_torchmetrics().AUROC("multiclass", num_classes=2)
        measured_by = {"surprise": class_cross_entropy(2), "auc": area}
        history = fit(
            head,
            batches,
            watched,
            loss=loss,
            optimizer=optimizer,
            epochs=30,
            metrics=measured_by,
            device="cpu",
        )
        scores = predict(head, unseen[0]).diff(dim=1)[:, 0].numpy()
        return scores, np.array(history["surprise"]), np.array(history["auc"])

    def table(self, pairs: dict[str, str], samples: int = SAMPLES) -> pd.DataFrame:
        """Return a row per stage, compared with its base; p values corrected for all of them."""
        table = pd.DataFrame(self.rows).set_index("stage")
        for name, base in pairs.items():
            found = compare(
                self.scores[name], self.scores[base], self.truth, self.data.patients, samples=samples
            )
            values = base, found.difference, found.low, found.high, found.p_value
            table.loc[name, ["base", "difference", "low", "high", "p"]] = values
        tested = table["p"].notna() if "p" in table else []
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].astype(float))
        return table


def copied(labels: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Return each patient's label, copied to both eyes."""
    return pd.Series(labels).groupby(patients).transform("max").to_numpy()


def graders(bench: Bench, table: pd.DataFrame, features, base: str) -> dict[str, str]:
    """Add the stages with graders of each kind; return what each is compared with."""
    truth, hard, pairs = bench.truth, difficulty(table), {}

    @cache
    def given(seed: int, rho: float) -> list[np.ndarray]:
        random = np.random.default_rng([seed, round(10 * rho)])
        return [grade_eyes(truth, hard, random, rho=rho) for _ in range(3)]

    bench.stage("one grader", features, lambda seed: given(seed, 0.3)[0])
    pairs["one grader"] = base
    for rho in (0.0, 0.3, 0.6):
        name = f"two graders, third errs, rho {rho}"
        bench.stage(name, features, lambda seed, rho=rho: adjudicate(*given(seed, rho)))
        pairs[name] = base
        name = f"two graders, third never errs, rho {rho}"
        bench.stage(name, features, lambda seed, rho=rho: adjudicate(*given(seed, rho)[:2], truth))
        pairs[name] = base
    return pairs


OPTIONS = {"n": EYES, "prevalence": PREVALENCE, "lookalikes": LOOKALIKES, "seed": 0}
LOSSES = ["loss_early", "loss_late", "loss_rise_sd", "auc_early", "auc_late", "auc_fall_sd"]


def synthetic_bench(seeds: int) -> tuple[Bench, np.ndarray, np.ndarray, str]:
    """Return a bench of synthetic eyes, their features, their labels copied from the patient, and words about them."""
    data = load_fundus("synthetic", blur=BLUR, **OPTIONS)
    truth, trunk = data.table["true_label"].to_numpy(), backbone("efficientnet_lite0")
    blurred = (data.table["blur"] > 0).sum()
    about = (
        f"{EYES} synthetic eyes, {truth.sum()} positive, {blurred} blurred unless sharp, labels copied from the "
        f"patient unless graded, 2 folds by patient, {seeds} seeds, intervals of {SAMPLES} resamples, {FACTS}"
    )
    features = np.array(pooled_features(trunk, data))
    return Bench(data, truth, trunk, 2, seeds), features, copied(truth, data.patients), about


def sharp_features(bench: Bench, features: np.ndarray) -> np.ndarray:
    """Return the features of the same eyes, the blurred ones photographed again."""
    blurred = np.flatnonzero(bench.data.table["blur"] > 0)
    sharp = features.copy()
    sharp[blurred] = pooled_features(bench.trunk, load_fundus("synthetic", **OPTIONS).subset(blurred))
    return sharp


def synthetic(seeds: int) -> None:
    """Measure what the training and what the data are worth."""
    bench, features, patient, about = synthetic_bench(seeds)
    sharp, quality = sharp_features(bench, features), quality_scores(bench.data)
    bench.stage("sharp, true labels", sharp)
    bench.stage("sharp, true labels, plain", sharp, kind="plain")
    bench.stage("plain", features, patient, kind="plain")
    bench.stage("weighted", features, patient, kind="weighted")
    bench.stage("balanced epochs", features, patient)
    bench.stage("static balanced set", features, patient, kind="static")
    base, true = "balanced epochs", "true labels"
    pairs = {name: "plain" for name in ("weighted", base, "static balanced set")}
    pairs["sharp, true labels, plain"] = "sharp, true labels"
    bench.stage("blurred ones left out of training", features, patient, keep=quality > 0.4)
    bench.stage("sharp, copied labels", sharp, patient)
    bench.stage("true labels", features)
    pairs |= dict.fromkeys(("blurred ones left out of training", "sharp, copied labels", true), base)
    pairs |= {"sharp, true labels": base} | graders(bench, bench.data.table, features, base)
    table = bench.table(pairs).drop(columns=LOSSES)
    write_measured("fundus_stages", table.round(4), "python course/results/fundus_stages.py synthetic", about)


def controls(seeds: int) -> None:
    """Measure what the pretrained weights are worth, what over-fitting costs the ranking, and pairs left open."""
    bench, features, patient, about = synthetic_bench(seeds)
    untrained = with_random_weights(bench.trunk)
    sharp, wild = (
        sharp_features(bench, features),
        np.array(pooled_features(untrained, bench.data, cache=False)),
    )
    pairs = {"random weights": "plain", "random weights, true labels": "true labels, plain"}
    bench.stage("plain", features, patient, kind="plain")
    bench.stage("random weights", wild, patient, kind="plain")
    bench.stage("true labels, plain", features, kind="plain")
    bench.stage("random weights, true labels", wild, kind="plain")
    bench.stage("sharp, copied labels", sharp, patient)
    bench.stage("sharp, true labels", sharp)
    bench.stage("true labels", features)
    pairs |= {"sharp, true labels": "sharp, copied labels", "true labels": "sharp, copied labels"}
    graders(bench, bench.data.table, features, "true labels")
    third = "two graders, third"
    pairs |= {f"{third} never errs, rho {rho}": f"{third} errs, rho {rho}" for rho in (0.0, 0.3, 0.6)}
    table = bench.table(pairs, samples=REAL_SAMPLES).round(4)
    about = about.replace(f"of {SAMPLES} resamples", f"of {REAL_SAMPLES} resamples")
    write_measured("fundus_controls", table, "python course/results/fundus_stages.py controls", about)


def augmentation(seeds: int) -> None:
    """Measure over-fitting with and without augmentation, and how much noise is too much."""
    bench, features, patient, about = synthetic_bench(seeds)
    trunk, data, base = bench.trunk, bench.data, "balanced epochs"
    bench.stage("plain", features, patient, kind="plain")
    bench.stage("weighted", features, patient, kind="weighted")
    bench.stage(base, features, patient)
    bench.stage("static balanced set", features, patient, kind="static")
    turned = np.array(pooled_features(trunk, data, variant=Rotate180(p=1.0)))
    bench.stage("balanced, turns", np.stack([features, turned], axis=1), patient, test=features)
    for sigma in SIGMAS:
        noisy = np.array(pooled_features(trunk, data, variant=noise(trunk, sigma)))
        variants = np.stack([features, turned, noisy], axis=1)
        bench.stage(f"balanced, noise {sigma} and turns", variants, patient, test=features)
        bench.stage(f"balanced, noise {sigma} in every photograph", noisy, patient)
    only = np.where(
        (patient == 1)[:, None, None], variants, features[:, None]
    )  # as the source's code does it
    bench.stage(f"balanced, noise {sigma} and turns of positives only", only, patient, test=features)
    pairs = {row["stage"]: base for row in bench.rows if row["stage"].startswith("balanced,")}
    pairs |= dict.fromkeys(("weighted", base, "static balanced set"), "plain")
    write_measured(
        "fundus_augmentation",
        bench.table(pairs).round(4),
        "python course/results/fundus_stages.py augmentation",
        about,
    )


def lookalikes(seeds: int) -> None:
    """Measure what more and more look-alikes cost, and who raises the false alarms at a specificity of 90%."""
    bench, features, _, about = synthetic_bench(seeds)
    sharp, rows = sharp_features(bench, features), []
    kinds, negative = bench.data.table["lookalike"].to_numpy(), bench.truth == 0
    words = {"": "others", "spots": "cotton-wool-like spots", "veins": "puffed veins"}
    for fraction in (0.0, 0.1, 0.3):
        there = load_fundus("synthetic", **(OPTIONS | {"lookalikes": fraction}))
        now = there.table["lookalike"].to_numpy()
        changed, features = np.flatnonzero(now != kinds), sharp.copy()
        if len(changed):
            features[changed] = pooled_features(bench.trunk, there.subset(changed))
        scores = bench.stage(f"{fraction:.0%} look-alikes", features)
        alarm = np.array([row >= np.quantile(row[negative], 0.9) for row in scores])
        of_kind = {
            f"alarms, {name}": alarm[:, negative & (now == kind)].mean() if (now == kind).any() else np.nan
            for kind, name in words.items()
        }
        rows.append(
            {"lookalikes": fraction} | {key: bench.rows[-1][key] for key in ("auc", "auc_sd")} | of_kind
        )
    command = "python course/results/fundus_stages.py lookalikes"
    write_measured(
        "fundus_lookalikes",
        pd.DataFrame(rows).set_index("lookalikes").round(4),
        command,
        f"{about}; sharp, true labels",
    )


def scores(seeds: int) -> None:
    """Write the scores that two heads give to the same eyes: of copied labels (a) and of true ones (b)."""
    bench, features, patient, _ = synthetic_bench(seeds)
    about = f"{EYES} synthetic eyes, balanced epochs, 2 folds by patient, {FACTS}"
    command = f"python course/results/fundus_stages.py scores --seeds {seeds}"
    for name, labels in (("a", patient), ("b", None)):
        score = bench.stage(name, features, labels)[0]
        table = bench.data.table[["image", "patient"]].assign(positive=bench.truth, score=score)
        table = table.sample(frac=1, random_state=len(name) + ord(name)).set_index("image")
        write_measured(f"fundus_scores_{name}", table.round(4), command, about)


REAL = "K2C_REALDATA=FOLDER python course/results/fundus_stages.py"
PHOTOGRAPHS = "640 EyePACS photographs of 320 patients, 5 folds by patient"


def real_data(part: str = "images_512", positive: str = "referable") -> LabelledImages:
    """Return real photographs: a folder `fundus` with `labels.csv`, `images` and `images_512`."""
    folder = Path(os.environ["K2C_REALDATA"]) / "fundus"
    return load_fundus(folder / part, labels=folder / "labels.csv", positive=positive)


def resolution(seeds: int) -> None:
    """Measure what a larger photograph is worth, for referable retinopathy and for any."""
    trunk, tables = backbone("efficientnet_lite0"), []
    for positive in ("referable", "any"):
        truth = real_data(positive=positive)
        bench = Bench(truth, truth.labels, trunk, 5, seeds)
        for part, sides in (("images", (224,)), ("images_512", (224, 320, 448))):
            data = real_data(part, positive)
            assert (data.patients == truth.patients).all() and (data.labels == truth.labels).all()
            for side in sides:
                stage = f"{part}, {side} px"
                bench.stage(stage, np.array(pooled_features(trunk, data, size=side)), kind="plain")
        sizes = [name for name in bench.scores if name != "images, 224 px"]
        found = bench.table(dict.fromkeys(sizes, "images, 224 px")).reset_index()
        found[["photographs", "pixels"]] = found["stage"].str.extract(r"(\w+), (\d+) px").to_numpy()
        tables.append(found.assign(positive=positive).drop(columns=["stage", "wrong_labels"]))
    table = pd.concat(tables).set_index(["positive", "photographs", "pixels"])
    about = f"{PHOTOGRAPHS}, {seeds} seeds, {FACTS}; `images` are 256 wide, `images_512` 512"
    write_measured("fundus_real_resolution", table.round(4), f"{REAL} resolution", about)


def real(seeds: int) -> None:
    """Measure the stages on real photographs."""
    trunk = backbone("efficientnet_lite0")
    data = real_data()
    truth, side = data.labels, 320
    bench = Bench(data, truth, trunk, 5, seeds)
    features = np.array(pooled_features(trunk, data, size=side))
    bench.stage("plain", features, kind="plain")
    for kind, name in (
        ("weighted", "weighted"),
        ("balanced", "balanced epochs"),
        ("static", "static balanced set"),
    ):
        bench.stage(name, features, kind=kind)
    turned, noisy, soft = (
        np.array(pooled_features(trunk, data, size=side, variant=change))
        for change in (Rotate180(p=1.0), noise(trunk, 0.2), Blurred())
    )
    pairs = dict.fromkeys(("weighted", "balanced epochs", "static balanced set"), "plain")
    bench.stage("balanced, noise 0.2 and turns", np.stack([features, turned, noisy], axis=1), test=features)
    for fraction in (0.4, 1.0):
        chosen = np.random.default_rng(0).random(len(truth)) < fraction
        bench.stage(f"{fraction:.0%} blurred", np.where(chosen[:, None], soft, features), kind="plain")
        pairs[f"{fraction:.0%} blurred"] = "plain"
    easy = np.zeros(len(truth))  # nobody knows how difficult a real eye is to grade

    def one(seed: int) -> np.ndarray:
        return grade_eyes(truth, easy, np.random.default_rng(seed), rho=0.0)

    bench.stage("one grader", features, one, kind="plain")
    bench.stage("copied labels", features, copied(truth, data.patients), kind="plain")
    pairs |= {
        "one grader": "plain",
        "copied labels": "plain",
        "balanced, noise 0.2 and turns": "balanced epochs",
    }
    about = (
        f"{PHOTOGRAPHS}, {seeds} seeds, {FACTS}, {side} px, referable: {truth.sum()} positive, "
        f"intervals of {REAL_SAMPLES} resamples"
    )
    write_measured(
        "fundus_real_stages", bench.table(pairs, samples=REAL_SAMPLES).round(4), f"{REAL} real", about
    )


MEASURES = {
    "synthetic": synthetic, "controls": controls, "augmentation": augmentation, "lookalikes": lookalikes,
    "scores": scores, "resolution": resolution, "real": real,
}  # fmt: skip


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=[*MEASURES])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    MEASURES[options.source](options.seeds)


if __name__ == "__main__":
    main()

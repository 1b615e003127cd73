"""What lecture 6 says and does not run: its measured facts, and a cheap part of them measured again."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import k2c
from k2c._system.paths import project_root

RESULTS = project_root() / "course" / "results"


def load(name):
    spec = importlib.util.spec_from_file_location(name, RESULTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load("steps_to_target")


def test_later_gradients_need_smaller_rates_and_learn_less():
    table = k2c.measured("staleness")
    assert table.attrs["made"].startswith("python course/results/steps_to_target.py staleness")
    losses = table.groupby(["delay", "rate"])["loss"].apply(lambda s: s.mean() if s.notna().all() else np.nan)
    best = losses.unstack("rate")
    rates = best.idxmin(axis=1)
    assert list(rates) == sorted(rates, reverse=True) and rates[0] >= 4 * rates[8]
    assert best.min(axis=1).is_monotonic_increasing


def test_steps_are_counted_to_the_first_loss_below_the_target(script):
    import torch
    from torch import nn

    torch.manual_seed(0)
    x = torch.randn(512, 4)
    examples = x, (x[:, 0] > 0).long()
    found = [
        script.steps_to(
            0.3, script.mlp(4, 8, 2), examples, examples, nn.CrossEntropyLoss(), 64, rate, 0.9, 0, 20
        )
        for rate in (0.01, 0.1)
    ]
    assert 1 < found[1] < found[0] <= 160
    assert (
        script.steps_to(
            0.3, script.mlp(4, 8, 2), examples, examples, nn.CrossEntropyLoss(), 64, 1e-6, 0, 0, 2
        )
        is None
    )


@pytest.mark.realdata
def test_real_films_are_as_hard_as_the_table_says():
    root = os.environ.get("K2C_REALDATA")
    if not root:
        pytest.skip("K2C_REALDATA is not set")
    again = load("real_films").measure(str(Path(root, "chest")))
    facts = k2c.measured("real_films")
    assert list(again["trained on"]) == list(facts["trained on"])
    assert ((facts["low"] < again["macro AUC"]) & (again["macro AUC"] < facts["high"])).all()


def test_five_seeds_of_two_networks_were_compared_in_pairs_and_corrected():
    facts = k2c.measured("densenet_against_vgg").set_index("finding")
    assert facts.attrs["made"].startswith("python course/results/chest_networks.py densenet_against_vgg")
    assert len(facts) == 14 and (facts["low"] < facts["high"]).all()
    pd.testing.assert_series_equal(
        facts["difference"], facts["VGG"] - facts["DenseNet"], check_names=False, atol=2e-4
    )
    assert (facts["corrected"] >= facts["p"]).all()
    assert facts["grid head"].mean() > facts[["VGG", "DenseNet"]].mean().max()

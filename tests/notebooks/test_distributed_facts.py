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


def test_a_tuned_rate_is_of_the_grid_and_needs_no_more_epochs_than_one_in_proportion(script):
    table = k2c.measured("scaling_to_target")
    means = table.groupby(["task", "batch", "rate"])["epochs"].agg(lambda s: s.mean(skipna=False)).unstack()
    both = means.dropna(subset=["tuned", "in proportion"])
    assert len(both) == 6 and (both["tuned"] <= 1.1 * both["in proportion"]).all()
    tuned = (
        table[table["rate"] == "tuned"].dropna(subset=["learning_rate"]).set_index(["task", "batch", "seed"])
    )
    given = table[table["rate"] == "in proportion"].set_index(["task", "batch", "seed"])["learning_rate"]
    factors = (tuned["learning_rate"] / given).dropna()
    assert factors.round(6).isin(script.FACTORS).all()
    assert factors.between(min(script.FACTORS), max(script.FACTORS), inclusive="neither").all()


def test_a_trained_network_looks_at_the_finding_more_than_an_untrained_one():
    cam = k2c.measured("grad_cam")
    np.testing.assert_allclose(cam["difference"], cam["own"] - cam["other"], atol=2e-4)
    trained, untrained = (
        cam.loc[cam["network"] == kind, "difference"] for kind in ("trained", "never trained")
    )
    assert len(trained) == len(untrained) == 5 and trained.min() > untrained.max()

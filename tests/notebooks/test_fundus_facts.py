"""What lecture 5 says and does not run: a cheap part of its measured facts, and what its problems lead to."""

import importlib.util
import os

import numpy as np
import pandas as pd
import pytest
from scipy.special import erfc

import k2c
from k2c._system.paths import project_root
from k2c.course.exercises import load_solutions
from k2c.datasets.fundus import load_fundus
from k2c.metrics import compare
from k2c.models import backbone, pooled_features
from k2c.synthetic.fundus import adjudicate, difficulty, grade_eyes

RESULTS = project_root() / "course" / "results"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("fundus_stages", RESULTS / "fundus_stages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_labels_are_as_wrong_as_the_table_says(script):
    facts = k2c.measured("fundus_stages").set_index("stage")["wrong_labels"]
    data = load_fundus("synthetic", n=1600, prevalence=0.05, lookalikes=0.1, blur=0.4, seed=0, cache=False)
    truth, hard = data.table["true_label"].to_numpy(), difficulty(data.table)
    assert (script.copied(truth, data.patients) != truth).sum() == facts["balanced epochs"]
    for rho in (0.0, 0.3, 0.6):
        wrong = []
        for seed in range(5):
            random = np.random.default_rng([seed, round(10 * rho)])
            three = [grade_eyes(truth, hard, random, rho=rho) for _ in range(3)]
            wrong.append((adjudicate(*three) != truth).sum())
        assert np.mean(wrong) == pytest.approx(facts[f"two graders, third errs, rho {rho}"], abs=0.5)


def test_the_paired_test_agrees_with_resampling_on_the_two_files():
    names = {"np": np, "erfc": erfc}
    exec(load_solutions()["05_fundus_transfer"]["fundus.paired"]["solution"], names)
    a, b = (k2c.measured(f"fundus_scores_{name}") for name in "ab")
    assert (a["image"] != b["image"]).any(), (
        "the files are not in one order, so joining them is part of the problem"
    )
    both = a.merge(b, on=["image", "patient", "positive"], suffixes=("_a", "_b"))
    assert len(both) == 1600
    positive = both["positive"].to_numpy() == 1
    scores = both["score_a"].to_numpy(), both["score_b"].to_numpy()
    difference, error, p_value = names["paired_auc_test"](*scores, positive)
    resampled = compare(*scores, positive, both["patient"], samples=500)
    assert difference == pytest.approx(resampled.difference)
    assert error == pytest.approx((resampled.high - resampled.low) / 3.92, rel=0.3)
    assert (p_value < 0.05) == (resampled.verdict != "within the noise")


@pytest.mark.realdata
@pytest.mark.skipif("K2C_REALDATA" not in os.environ, reason="needs the folder named by K2C_REALDATA")
def test_real_photographs_lie_within_the_intervals_of_their_tables(script):
    folder = os.environ["K2C_REALDATA"] + "/fundus"
    data = load_fundus(f"{folder}/images_512", labels=f"{folder}/labels.csv")
    trunk = backbone("efficientnet_lite0")
    features, bench = (
        np.array(pooled_features(trunk, data, size=320)),
        script.Bench(data, data.labels, trunk, 5, 2),
    )
    bench.stage("plain", features, kind="plain")
    bench.stage("weighted", features, kind="weighted")
    bench.stage("copied labels", features, script.copied(data.labels, data.patients), kind="plain")
    measured = pd.DataFrame(bench.rows).set_index("stage")["auc"]
    facts = k2c.measured("fundus_real_stages").set_index("stage")
    assert measured["plain"] == pytest.approx(facts.loc["plain", "auc"], abs=3 * facts.loc["plain", "auc_sd"])
    for stage in ("weighted", "copied labels"):
        low, high = facts.loc[stage, ["low", "high"]]
        assert low - 0.01 < measured[stage] - measured["plain"] < high + 0.01
    size = k2c.measured("fundus_real_resolution").set_index(["positive", "photographs", "pixels"])
    assert size.loc[("referable", "images_512", 320), "auc"] == pytest.approx(
        facts.loc["plain", "auc"], abs=0.001
    )

"""Screening: measures against scikit-learn's, thresholds that keep their promise, probabilities for a population."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, recall_score, roc_auc_score, roc_curve

from k2c.errors import K2CError
from k2c.metrics import (
    at_threshold,
    auc_interval,
    bootstrap_auc,
    calibration_error,
    operating_point,
    risk_groups,
    roc_auc,
    screening_costs,
    screening_row,
    screening_table,
)
from k2c.metrics.screening import auc_of_counts

RNG = np.random.default_rng(0)
LABELS = (RNG.random(800) < 0.1).astype(int)
SCORES = 1 / (1 + np.exp(-(RNG.normal(size=800) + 1.5 * LABELS - 1)))
COARSE = np.round(SCORES, 1)  # many ties


@pytest.mark.parametrize("scores", [SCORES, COARSE, torch.from_numpy(SCORES), SCORES.astype(np.float32)])
def test_auc_is_scikit_learns(scores):
    assert roc_auc(scores, LABELS) == pytest.approx(roc_auc_score(LABELS, scores))


def test_infinite_scores_are_ties_like_others():
    assert roc_auc([np.inf, np.inf, -np.inf, 0, -np.inf], [1, 0, 0, 1, 1]) == 0.5


def test_the_row_holds_the_usual_measures():
    row = screening_row(SCORES, LABELS, threshold=0.4)
    positive = SCORES >= 0.4
    assert row["accuracy"] == pytest.approx((positive == LABELS).mean())
    assert row["sensitivity"] == pytest.approx(recall_score(LABELS, positive))
    assert row["specificity"] == pytest.approx(recall_score(LABELS, positive, pos_label=0))
    positive = LABELS == 1
    assert row["cross-entropy, positives"] == pytest.approx(
        log_loss(LABELS[positive], SCORES[positive], labels=[0, 1])
    )
    assert row["cross-entropy, negatives"] == pytest.approx(
        log_loss(LABELS[~positive], SCORES[~positive], labels=[0, 1])
    )
    assert row["AUC, low"] < row["ROC AUC"] < row["AUC, high"]


def test_the_table_has_a_row_a_stage():
    table = screening_table({"everybody negative": np.zeros(800), "network": SCORES}, LABELS)
    assert list(table.index) == ["everybody negative", "network"]
    negative = table.loc["everybody negative"]
    assert negative["accuracy"] == 1 - LABELS.mean() > 0.85  # the paradox
    assert negative["sensitivity"] == 0 and negative["ROC AUC"] == 0.5


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1], [150, 30])
    for _ in range(200):
        low, high = auc_interval(generator.normal(size=180) + labels, labels, samples=200)
        covered += low <= 0.7602 <= high  # the AUC of two normal distributions, 1 apart
    assert 176 <= covered <= 198


def test_resamples_keep_the_classes_and_pair_two_models():
    better = SCORES + 0.02 * LABELS
    gain = bootstrap_auc(better, LABELS) - bootstrap_auc(SCORES, LABELS)
    apart = bootstrap_auc(better, LABELS) - bootstrap_auc(SCORES, LABELS, seed=1)
    assert (gain > 0).all()
    assert gain.std() < 0.5 * apart.std()
    np.testing.assert_array_equal(
        bootstrap_auc(SCORES, LABELS, seed=4), bootstrap_auc(SCORES, LABELS, seed=4)
    )


def test_two_eyes_of_a_patient_tell_less_than_two_patients():
    generator = np.random.default_rng(2)
    labels = np.repeat([0, 1], [75, 25])
    scores = generator.normal(size=100) + labels
    twice, owner = np.tile(labels, 2), np.tile(np.arange(100), 2)  # the fellow eyes show the same
    as_eyes = bootstrap_auc(np.tile(scores, 2), twice, samples=400)
    as_patients = bootstrap_auc(np.tile(scores, 2), twice, samples=400, patients=owner)
    alone = bootstrap_auc(scores, labels, samples=400)
    assert as_patients.std() == pytest.approx(alone.std(), rel=0.2)
    assert as_eyes.std() < 0.85 * as_patients.std()
    assert auc_interval(scores, labels, patients=np.arange(100))[0] < roc_auc(scores, labels)


@pytest.mark.parametrize("scores", [SCORES, COARSE])
@pytest.mark.parametrize("wanted", [0.0, 0.5, 0.9, 0.95, 1.0])
def test_the_operating_point_is_the_best_on_the_roc_curve(scores, wanted):
    alarms, found, _ = roc_curve(LABELS, scores, drop_intermediate=False)
    point = operating_point(scores, LABELS, specificity=wanted)
    assert point.specificity >= wanted
    assert point.sensitivity == pytest.approx(found[1 - alarms >= wanted - 1e-12].max())
    assert at_threshold(scores, LABELS, point.threshold) == point
    other = operating_point(scores, LABELS, sensitivity=wanted)
    assert other.sensitivity >= wanted
    assert other.specificity == pytest.approx((1 - alarms)[found >= wanted - 1e-12].max())


def test_the_cheapest_threshold_follows_the_prices():
    thresholds, costs = screening_costs(SCORES, LABELS, missed=10)
    positive = thresholds[40] <= SCORES
    by_hand = (10 * (~positive & (LABELS == 1)).sum() + (positive & (LABELS == 0)).sum()) / 800
    assert costs[40] == pytest.approx(by_hand)
    cheapest = [
        thresholds[screening_costs(SCORES, LABELS, missed=price)[1].argmin()] for price in (1, 10, 100)
    ]
    assert cheapest[0] > cheapest[1] > cheapest[2]


def test_risk_groups_and_the_error_of_a_risk():
    generator = np.random.default_rng(2)
    labels = (generator.random(20_000) < 0.05).astype(int)
    evidence = generator.normal(size=20_000) + 2 * labels
    balanced = 1 / (1 + np.exp(-(2 * evidence - 2)))  # what Bayes' rule says at a prevalence of one half
    corrected = balanced / (balanced + (1 - balanced) * 19)  # ... and at 1 in 20
    assert calibration_error(balanced, labels) > 0.1
    assert calibration_error(corrected, labels) < 0.01
    groups = risk_groups(corrected, labels)
    assert groups["count"].tolist() == [2000] * 10
    np.testing.assert_allclose(groups["observed"], groups["predicted"], atol=0.03)


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda: roc_auc(SCORES, np.zeros(800)), "all positive or all negative"),
        (lambda: roc_auc(SCORES[:-1], LABELS), "one score and one label"),
        (lambda: roc_auc(np.stack([SCORES, SCORES], 1), LABELS), "softmax"),
        (lambda: roc_auc(np.full(800, np.nan), LABELS), "NaN"),
        (lambda: roc_auc(SCORES, LABELS + 1), "1 for positives"),
        (lambda: screening_row(SCORES * 5, LABELS), "not probabilities"),
        (lambda: operating_point(SCORES, LABELS), "must reach"),
        (lambda: operating_point(SCORES, LABELS, specificity=90), "fraction from 0 to 1"),
    ],
)
def test_wrong_arguments_are_sentences(attempt, sentence):
    with pytest.raises(K2CError, match=sentence):
        attempt()


def test_an_auc_of_counts_is_that_of_the_examples_written_out_so_often():
    random = np.random.default_rng(0)
    scores, positive = random.integers(9, size=(2, 40)).astype(float), np.arange(40) < 12
    counts = random.integers(4, size=(5, 40))
    found = auc_of_counts(scores, positive, counts)
    for resample, row in np.ndindex(found.shape):
        expected = roc_auc_score(positive.repeat(counts[resample]), scores[row].repeat(counts[resample]))
        assert found[resample, row] == pytest.approx(expected, abs=1e-12)

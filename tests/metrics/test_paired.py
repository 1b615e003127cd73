"""Two models on the same examples: the difference, its interval, its p value, and several of them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from k2c.errors import K2CError
from k2c.metrics import Comparison, compare, holm, roc_auc

RNG = np.random.default_rng(0)
TARGETS = np.repeat([0, 1], [120, 60])
HARD = RNG.normal(size=180)  # what makes an example hard for every model
GOOD = TARGETS + HARD + 0.3 * RNG.normal(size=180)
POOR = 0.5 * TARGETS + HARD + 0.3 * RNG.normal(size=180)
QUICK = {"samples": 300}


def test_the_difference_is_that_of_the_metric():
    found = compare(torch.from_numpy(GOOD), POOR, TARGETS, **QUICK)
    assert (found.a, found.b) == pytest.approx((roc_auc_score(TARGETS, GOOD), roc_auc_score(TARGETS, POOR)))
    assert found.difference == pytest.approx(found.a - found.b)
    assert found.low < found.difference < found.high and found.groups == 180
    mirrored = compare(POOR, GOOD, TARGETS, **QUICK)
    assert (mirrored.difference, mirrored.low, mirrored.high, mirrored.p_value) == pytest.approx(
        (-found.difference, -found.high, -found.low, found.p_value)
    )


def test_all_resamples_of_a_small_case_by_hand():
    # Two patients with a positive and a negative each: a ranks both right, b only those of the second patient.
    # Resamples by patient: {1,1}, {1,2}, {2,1}, {2,2} with b's AUC 0, 1/2, 1/2 and 1, so differences 1, .5, .5, 0.
    a, b, targets, patients = [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 0, 1], ["p", "p", "q", "q"]
    found = compare(a, b, targets, patients, confidence=0.5, samples=4000)
    assert (found.a, found.b) == (1.0, 0.5)
    assert (found.low, found.high) == (pytest.approx(0.25, abs=0.26), pytest.approx(0.75, abs=0.26))
    assert found.p_value == pytest.approx(2 * 0.25, abs=0.03)  # a quarter of the resamples show no difference


def test_what_is_hard_for_both_models_cancels_out():
    paired = compare(GOOD, POOR, TARGETS, **QUICK)
    shuffled = RNG.permutation(120)
    other = np.r_[POOR[:120][shuffled], POOR[120:][RNG.permutation(60)]]  # the same AUC, other examples
    unpaired = compare(GOOD, other, TARGETS, **QUICK)
    assert paired.difference == pytest.approx(unpaired.difference)
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)
    assert paired.verdict == "higher" and paired.p_value < 0.05


def test_equal_models_do_not_differ():
    found = compare(GOOD, GOOD, TARGETS, **QUICK)
    assert found == Comparison(found.a, found.a, 0.0, 0.0, 0.0, 1.0, 180, 0.95)
    assert str(found) == "+0.000 (95% interval +0.000 to +0.000, p = 1): within the noise"


def test_two_eyes_of_a_patient_tell_less_than_two_patients():
    twice = [np.tile(values, 2) for values in (GOOD, POOR, TARGETS)]  # both eyes show the same
    alone = compare(GOOD, POOR, TARGETS, samples=600)
    patients = compare(*twice, groups=np.tile(np.arange(180), 2), samples=600)
    eyes = compare(*twice, samples=600)
    width = patients.high - patients.low
    assert width == pytest.approx(alone.high - alone.low, rel=0.15)
    assert eyes.high - eyes.low < 0.85 * width


def test_another_metric_and_unknown_targets():
    def precision(scores, targets):
        return average_precision_score(targets, scores)

    unknown = np.where(np.arange(180) % 9 == 0, np.nan, TARGETS)
    known = ~np.isnan(unknown)
    found = compare(GOOD, POOR, unknown, metric=precision, samples=50)
    assert found.a == pytest.approx(average_precision_score(TARGETS[known], GOOD[known]))
    assert found.groups == known.sum()
    slow = compare(GOOD, POOR, TARGETS, metric=lambda scores, targets: roc_auc(scores, targets), samples=50)
    assert slow == compare(GOOD, POOR, TARGETS, samples=50)


@pytest.mark.parametrize("seeds", [1, 5])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(seeds):
    """80 studies of two equally good models, patients with two eyes each, and training seeds that vary."""
    generator = np.random.default_rng(1)
    patients, sick = np.repeat(np.arange(60), 2), np.repeat(np.arange(60) % 3 == 0, 2)
    covered, rejected = 0, 0
    for _ in range(80):
        shared = np.repeat(generator.normal(size=60), 2)
        a, b = (
            sick + shared + generator.normal(size=120) + 0.3 * generator.normal(size=(seeds, 120))
            for _ in range(2)
        )
        found = compare(a, b, sick, patients, samples=150)
        covered += found.low <= 0 <= found.high
        rejected += found.p_value < 0.05
    assert 70 <= covered <= 79  # 95 % of 80 is 76, with a standard deviation of 2
    assert rejected <= 10


def test_training_seeds_widen_the_interval():
    steady = np.stack([GOOD] * 5)
    shaky = steady + np.array([-1, -0.5, 0, 0.5, 1])[:, None] * TARGETS
    base = np.stack([POOR] * 5)
    widths = [
        (found.high - found.low) for found in (compare(x, base, TARGETS, **QUICK) for x in (steady, shaky))
    ]
    assert widths[1] > 1.5 * widths[0]


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04; none may be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == [0.2] and holm([]).tolist() == []


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda: compare(GOOD[:-1], POOR, TARGETS), "Give both models' scores"),
        (lambda: compare(GOOD, POOR, TARGETS, groups=[1, 2]), "Give both models' scores"),
        (lambda: compare(GOOD, POOR, TARGETS, groups=np.zeros(180)), "one group"),
        (lambda: compare(GOOD, POOR, np.ones(180)), "both 1 and 0 must occur"),
        (lambda: compare(GOOD, np.full(180, np.nan), TARGETS), "NaN"),
        (lambda: holm([0.1, 1.2]), "numbers from 0 to 1"),
        (lambda: holm([0.1, float("nan")]), "numbers from 0 to 1"),
    ],
)
def test_wrong_arguments_are_sentences(attempt, sentence):
    with pytest.raises(K2CError, match=sentence):
        attempt()

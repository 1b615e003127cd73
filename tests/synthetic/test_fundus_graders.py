"""Graders err as often as they are said to, and more alike the more the eye's difficulty counts."""

import numpy as np
import pytest

from k2c.datasets.fundus import synthetic_fundus
from k2c.errors import K2CError
from k2c.synthetic.fundus import adjudicate, difficulty, grade_eyes

N = 200_000


@pytest.fixture(scope="module")
def eyes():
    random = np.random.default_rng(0)
    return (random.random(N) < 0.3).astype(int), random.standard_normal(N)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 1.0])
def test_the_error_rates_are_what_was_asked_for_however_alike_graders_are(eyes, rho):
    truth, hard = eyes
    given = grade_eyes(truth, hard, np.random.default_rng(1), rho=rho)
    assert (given[truth == 1] == 0).mean() == pytest.approx(0.2, abs=0.006)
    assert (given[truth == 0] == 1).mean() == pytest.approx(0.03, abs=0.002)


def test_two_graders_err_on_the_same_eyes_more_often_the_larger_rho(eyes):
    truth, hard = eyes
    both = []
    for rho in (0.0, 0.3, 0.6, 1.0):
        random = np.random.default_rng(2)
        wrong = [grade_eyes(truth, hard, random, rho=rho) != truth for _ in range(2)]
        both.append((wrong[0] & wrong[1])[truth == 1].mean())
    assert both == sorted(both)
    assert both[0] == pytest.approx(0.2**2, abs=0.003) and both[-1] == pytest.approx(0.2, abs=0.006)


def test_a_third_decides_only_where_two_differ_and_can_be_wrong():
    assert adjudicate([1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]).tolist() == [1, 1, 0, 0]


def test_faint_lesions_lookalikes_and_blur_make_an_eye_difficult():
    table = synthetic_fundus(400, prevalence=0.3, blur=0.4, lookalikes=0.3, cache=False).table
    hard = difficulty(table)
    positive, blurred = table["true_label"] == 1, table["blur"] > 0
    for part in (positive, ~positive):
        assert hard[part].mean() == pytest.approx(0, abs=0.02)
        assert hard[part & blurred].mean() > hard[part & ~blurred].mean() + 0.3
    sharp = positive & ~blurred
    assert np.corrcoef(hard[sharp], table["contrast"][sharp])[0, 1] < -0.9
    assert hard[~positive & (table["lookalike"] != "")].mean() > hard[~positive].mean() + 0.5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rho": 1.5}, "rho=1.5 is not a fraction"),
        ({"miss": -1}, "between 0 and 1"),
        ({}, "one of each per eye"),
    ],
)
def test_what_cannot_be_is_refused(wrong, said):
    hard = np.zeros(3) if wrong else np.zeros(2)
    with pytest.raises(K2CError, match=said):
        grade_eyes([0, 1, 0], hard, np.random.default_rng(0), **wrong)

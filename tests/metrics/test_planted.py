"""The planted scores of lecture 6's problem: differences where they were planted, and films that belong to patients."""

import numpy as np

from k2c.metrics import planted_scores, roc_auc


def test_differences_are_where_they_were_planted():
    a, b, truth, patient = planted_scores({4: 1.5, 9: -0.9}, seed=0, patients=600)
    gain = [roc_auc(a[:, k], truth[:, k]) - roc_auc(b[:, k], truth[:, k]) for k in range(14)]
    assert gain[4] > 0.1 and gain[9] < -0.1
    assert np.abs(np.delete(gain, [4, 9])).max() < 0.06
    assert a.shape == b.shape == truth.shape == (len(patient), 14)


def test_films_of_a_patient_are_alike_and_the_same_seed_draws_the_same():
    a, _, _, patient = planted_scores({}, seed=1)
    means = np.array([a[patient == one].mean(axis=0) for one in np.unique(patient)])
    assert means.std(axis=0).mean() > 0.7  # of single films of many patients it would be half as much
    assert np.array_equal(a, planted_scores({}, seed=1)[0])

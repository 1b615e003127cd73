"""Splits by patient."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k2c.datasets import LabelledImages, folds_by_patient, split_by_patient
from k2c.errors import K2CError


def eyes(patients: int, positive: float, seed: int = 0, findings: int = 0) -> LabelledImages:
    """One to four images per patient."""
    random = np.random.default_rng(seed)
    of_row = np.repeat(np.arange(patients), random.integers(1, 5, patients))
    table = pd.DataFrame({"image": np.arange(len(of_row)).astype(str), "patient": of_row.astype(str)})
    names = [f"finding {column}" for column in range(findings)]
    for column, name in enumerate(names):
        table[name] = (random.random(len(table)) < 0.3 / (1 + column)).astype(float)
    if not findings:
        is_positive = random.random(patients) < positive
        is_positive[:2] = True
        table["label"] = (is_positive[of_row] & (random.random(len(table)) < 0.8)).astype(int)
        table.loc[table.groupby("patient").head(1).index, "label"] = is_positive.astype(int)
    pixels = np.zeros((len(table), 8, 8), np.uint8)
    return LabelledImages(table, pixels, names or ["negative", "positive"])


@settings(max_examples=40, deadline=None)
@given(
    patients=st.integers(4, 60),
    positive=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
    fraction=st.floats(0.1, 0.9),
)
def test_no_patient_is_on_both_sides_and_no_image_is_lost(patients, positive, seed, fraction):
    data = eyes(patients, positive, seed)
    try:
        train, test = split_by_patient(data, fraction, seed)
    except K2CError as error:
        assert "too few" in str(error)
        assert min(data.counts().values()) < 9
        return
    assert not set(train.patients) & set(test.patients)
    assert sorted([*train.table["image"], *test.table["image"]]) == sorted(data.table["image"])
    assert set(train.labels) == set(test.labels)


def test_both_parts_have_the_same_share_of_the_ill():
    data = eyes(300, 0.1)
    train, test = split_by_patient(data, 0.3, seed=5)
    assert abs(len(test) / len(data) - 0.3) < 0.02
    assert abs(test.labels.mean() - train.labels.mean()) < 0.01


def test_the_seed_decides():
    data = eyes(50, 0.3)
    first, again, other = (set(split_by_patient(data, seed=seed)[1].patients) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("findings", [0, 6])
def test_each_image_is_tested_in_one_fold(findings):
    data = eyes(80, 0.2, findings=findings)
    tested = []
    for train, test in folds_by_patient(data, n=4):
        assert not set(data.patients[train]) & set(data.patients[test])
        assert len(train) + len(test) == len(data)
        assert (data.labels[test] == 1).any()
        tested += test.tolist()
    assert sorted(tested) == list(range(len(data)))


def test_the_rarest_findings_are_shared_out_too():
    data = eyes(400, 0, findings=8)
    _, test = split_by_patient(data, 0.3)
    share = np.array(list(test.counts().values())) / np.array(list(data.counts().values()))
    assert share.min() > 0.15 and share.max() < 0.45


@pytest.mark.parametrize(
    ("split", "said"),
    [
        (lambda data: split_by_patient(data, 1.5), "test_fraction=1.5 must lie between 0 and 1"),
        (lambda data: split_by_patient(data.filter(patient="0")), "takes two patients"),
        (lambda data: split_by_patient(data.filter(lambda t: (t.label == 0) | (t.patient == "0"))), "only 1 patient"),
        (lambda data: folds_by_patient(data.filter(patient=["0", "1"]), 5), "too few patients for 5 folds"),
        (lambda data: folds_by_patient(data.filter(lambda t: (t.label == 0) | (t.patient < "2")), 9), "'positive'"),
        (lambda data: folds_by_patient(data, 1), "n=1 must be 2 or more"),
    ],
    ids=["fraction", "one-patient", "one-positive-patient", "few-patients", "few-positive-patients", "one-fold"],
)  # fmt: skip
def test_what_cannot_be_split_says_why(split, said):
    with pytest.raises(K2CError, match=said):
        split(eyes(40, 0.5))

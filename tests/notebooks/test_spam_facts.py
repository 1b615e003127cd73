"""What lecture 1 says and does not run: a cheap part of its measured facts, and what its problems lead to."""

import importlib.util

import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.feature_extraction.text import CountVectorizer

import k2c
from k2c._system.paths import project_root
from k2c.course.exercises import load_solutions
from k2c.datasets import load_spam

RESULTS = project_root() / "course" / "results"


def test_two_splits_agree_with_the_table_of_twenty():
    spec = importlib.util.spec_from_file_location("script", RESULTS / "spam_count_or_descend.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    again = script.measure("shipped", "100 words", repeats=2)
    facts = k2c.measured("spam_count_or_descend").query("source == 'shipped' and vocabulary == '100 words'")
    assert list(again["examples"]) == list(facts["examples"])
    assert again["naive_bayes"].to_numpy() == pytest.approx(facts["naive_bayes"].to_numpy(), abs=0.08)
    assert again["logistic"].to_numpy() == pytest.approx(facts["logistic"].to_numpy(), abs=0.08)


def test_the_evidence_chooses_an_alpha_near_a_third():
    names = {"np": np, "gammaln": gammaln}
    exec(load_solutions()["01_spam_naive_bayes"]["spam.smoothing"]["solution"], names)
    train, _ = load_spam("shipped").without_duplicates().split(0.3, seed=0)
    counts = CountVectorizer().fit_transform(train.texts)
    by_class = np.stack([~train.is_spam @ counts, train.is_spam @ counts])
    best, mean, deviation = names["smoothing_as_prior"](by_class, 10.0 ** np.arange(-3, 2, 0.05))
    assert best == pytest.approx(0.35, abs=0.02)
    assert mean.sum(axis=1) == pytest.approx([1, 1])
    once = by_class == 1
    assert np.all((deviation[once] / mean[once] > 0.5) & (deviation[once] / mean[once] < 1.5))

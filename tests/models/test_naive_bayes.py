"""Naive Bayes: the textbook's numbers, scikit-learn's numbers, explanations that add up, and clear refusals."""

import os
from pathlib import Path

import numpy as np
import pytest
import sklearn.naive_bayes
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from k2c.datasets import load_spam
from k2c.datasets.spam import read_sms
from k2c.errors import K2CError
from k2c.models.naive_bayes import START, NaiveBayes

REFERENCES = {
    "multinomial": sklearn.naive_bayes.MultinomialNB,
    "bernoulli": sklearn.naive_bayes.BernoulliNB,
}


@pytest.fixture(scope="module")
def corpus():
    """Counts and labels of the shipped corpus, with the words' names."""
    messages = load_spam("shipped")
    vectorizer = CountVectorizer()
    return vectorizer.fit_transform(messages.texts), messages.is_spam, vectorizer.get_feature_names_out()


# The worked example of Manning, Raghavan and Schütze (2008), tables 13.1 and examples 13.1 and 13.2.
# Columns: Beijing, Chinese, Japan, Macao, Shanghai, Tokyo.
TEXTBOOK = np.array([[1, 2, 0, 0, 0, 0], [0, 2, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1]])
IS_CHINA = np.array([True, True, True, False])
QUESTION = np.array([[0, 3, 1, 0, 0, 1]])


@pytest.mark.parametrize(
    ("model", "not_china", "china"),
    [
        ("multinomial", 1 / 4 * (2 / 9) ** 3 * 2 / 9 * 2 / 9, 3 / 4 * (3 / 7) ** 3 * 1 / 14 * 1 / 14),
        ("bernoulli", 1 / 4 * (2 / 3) ** 3 * (2 / 3) ** 3, 3 / 4 * 4 / 5 * (1 / 5) ** 2 * (3 / 5) ** 3),
    ],
)
def test_the_textbook_example(model, not_china, china):
    bayes = NaiveBayes(model, alpha=1.0).fit(TEXTBOOK, IS_CHINA)
    np.testing.assert_allclose(np.exp(bayes.joint_log_proba(QUESTION)), [[not_china, china]])
    np.testing.assert_allclose(bayes.predict_proba(QUESTION)[0, 1], china / (china + not_china))
    assert bayes.predict(QUESTION) == [china > not_china]


@pytest.mark.parametrize("model", REFERENCES)
@pytest.mark.parametrize("alpha", [1e-9, 0.3, 1.0, 100.0])
def test_log_probabilities_agree_with_scikit_learn(corpus, model, alpha):
    counts, is_spam, _ = corpus
    ours = NaiveBayes(model, alpha).fit(counts[::2], is_spam[::2])
    theirs = REFERENCES[model](alpha=alpha).fit(counts[::2], is_spam[::2])
    difference = ours.predict_log_proba(counts) - theirs.predict_log_proba(counts)
    assert np.abs(difference).max() < 1e-9
    assert np.array_equal(ours.predict(counts), theirs.predict(counts))


@pytest.mark.parametrize("model", REFERENCES)
def test_more_than_two_classes_and_dense_counts(model):
    rng = np.random.default_rng(0)
    counts, labels = rng.poisson(0.7, size=(60, 12)), np.repeat(["a", "b", "c"], 20)
    ours = NaiveBayes(model).fit(counts, labels)
    theirs = REFERENCES[model]().fit(counts, labels)
    np.testing.assert_allclose(
        ours.predict_log_proba(counts), theirs.predict_log_proba(counts), atol=1e-9, rtol=0
    )
    with pytest.raises(K2CError, match="two classes, and here are 3"):
        ours.log_odds()


def test_a_message_as_long_as_a_book_is_still_decided():
    bayes = NaiveBayes().fit(TEXTBOOK, IS_CHINA)
    about_china = np.array([[0, 1_000_000, 0, 0, 0, 0]])
    assert np.exp(bayes.joint_log_proba(about_china)).tolist() == [[0.0, 0.0]]  # what a product would give
    assert np.isfinite(bayes.decision_function(about_china)).all()
    assert bayes.predict(about_china) == [True]


@pytest.mark.parametrize("model", REFERENCES)
def test_an_explanation_sums_to_the_log_odds_of_the_prediction(corpus, model):
    counts, is_spam, words = corpus
    bayes = NaiveBayes(model).fit(counts, is_spam)
    log_odds = bayes.decision_function(counts[:50])
    log_probability = bayes.predict_log_proba(counts[:50])
    np.testing.assert_allclose(log_odds, log_probability[:, 1] - log_probability[:, 0], atol=1e-9)
    for row in range(50):
        explanation = bayes.explain(counts[[row]], words)
        assert explanation.sum() == pytest.approx(log_odds[row], abs=1e-9)
        assert explanation.index[0] == START
        assert set(explanation.index[1:]) == set(words[counts[[row]].indices])
        assert explanation.iloc[1:].abs().is_monotonic_decreasing


def test_a_word_counts_as_often_as_it_is_there_or_once():
    twice, once = np.array([0, 2, 0, 0, 0, 0]), np.array([0, 1, 0, 0, 0, 0])
    multinomial = NaiveBayes("multinomial").fit(TEXTBOOK, IS_CHINA)
    bernoulli = NaiveBayes("bernoulli").fit(TEXTBOOK, IS_CHINA)
    assert multinomial.explain(twice)[1] == pytest.approx(2 * multinomial.log_odds()[1])
    assert bernoulli.explain(twice).equals(bernoulli.explain(once))


@pytest.mark.parametrize("model", REFERENCES)
def test_the_counts_of_the_caller_stay_as_they_were(corpus, model):
    # CountVectorizer leaves columns unsorted within a row; sorting shared indices would scramble the counts.
    texts = load_spam("shipped").texts[:200]
    counts = CountVectorizer().fit_transform(texts)
    before = counts.toarray()
    bayes = NaiveBayes(model).fit(counts, np.arange(200) % 2)
    bayes.predict_log_proba(counts)
    assert np.array_equal(counts.toarray(), before)


def test_entries_of_one_cell_are_added_before_they_count_as_there():
    split = sparse.coo_array(([1, 1, 1], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))  # row 0 has column 0 twice
    whole = np.array([[2, 0], [0, 1]])
    for model in REFERENCES:
        ours = NaiveBayes(model).fit(split, [0, 1]).feature_log_prob_
        np.testing.assert_allclose(ours, NaiveBayes(model).fit(whole, [0, 1]).feature_log_prob_)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"alpha": 0}, "alpha must be a number above 0, not 0"),
        ({"alpha": float("nan")}, "alpha must be a number above 0"),
        ({"model": "gaussian"}, "one of multinomial, bernoulli, not 'gaussian'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(arguments, said):
    with pytest.raises(K2CError, match=said):
        NaiveBayes(**arguments).fit(TEXTBOOK, IS_CHINA)


@pytest.mark.parametrize(
    ("counts", "labels", "said"),
    [
        (TEXTBOOK, [True] * 4, "at least two"),
        (TEXTBOOK, [True, False], "4 labels"),
        (-TEXTBOOK, IS_CHINA, "Counts must be 0 or more"),
        (TEXTBOOK * np.nan, IS_CHINA, "Counts must be 0 or more"),
        (np.zeros((4, 0)), IS_CHINA, "no columns"),
    ],
)
def test_examples_that_nothing_can_be_learnt_from_are_refused(counts, labels, said):
    with pytest.raises(K2CError, match=said):
        NaiveBayes().fit(counts, labels)


def test_use_before_learning_and_other_vocabularies_are_refused():
    with pytest.raises(K2CError, match="has not learnt anything yet"):
        NaiveBayes().predict(TEXTBOOK)
    bayes = NaiveBayes().fit(TEXTBOOK, IS_CHINA)
    with pytest.raises(K2CError, match=r"learnt 6 words, and here are 5 columns.*transform"):
        bayes.predict(TEXTBOOK[:, :5])
    with pytest.raises(K2CError, match="learnt 6 words, and here are 2 names"):
        bayes.log_odds(["Beijing", "Chinese"])
    with pytest.raises(K2CError, match="takes one message, not 4"):
        bayes.explain(TEXTBOOK)


@pytest.mark.realdata
@pytest.mark.parametrize("model", REFERENCES)
def test_the_sms_collection_in_five_folds(model, capsys):
    folder = os.environ.get("K2C_REALDATA")
    if not folder:
        pytest.skip("K2C_REALDATA is not set")
    messages = read_sms(Path(folder) / "spam" / "SMSSpamCollection").without_duplicates()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ours, theirs = (
        cross_val_predict(
            make_pipeline(CountVectorizer(), bayes),
            messages.texts,
            messages.is_spam,
            cv=folds,
            method="predict_log_proba",
        )
        for bayes in (NaiveBayes(model), REFERENCES[model]())
    )
    accuracy = np.mean((ours[:, 1] > ours[:, 0]) == messages.is_spam)
    difference = np.abs(ours - theirs).max()
    with capsys.disabled():
        print(
            f"\nSMS, {len(messages):,} messages, {model}: accuracy {accuracy:.4f}, difference {difference:.1e}"
        )
    assert accuracy >= {"multinomial": 0.98, "bernoulli": 0.97}[model]
    assert difference < 1e-9

"""Naive Bayes from scratch: counting, in log space, on sparse counts.

Sources: A. McCallum and K. Nigam, "A comparison of event models for naive Bayes text classification", AAAI-98
workshop on learning for text categorization, 1998 (the two models); C. D. Manning, P. Raghavan and
H. Schütze, "Introduction to Information Retrieval", 2008, chapter 13 (smoothing and log space).
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin

from k2c.errors import K2CError

MODELS = ("multinomial", "bernoulli")
START = "(before the first word)"


class NaiveBayes(ClassifierMixin, BaseEstimator):
    """A classifier that counts: each word adds its evidence, as if words were independent given the class.

    Both models are linear in the counts, so a prediction is a start plus one contribution per word. The class
    follows scikit-learn's conventions: it works in pipelines and in cross-validation.

    Parameters
    ----------
    model
        `multinomial` asks how often a word is there; `bernoulli` asks whether it is there, and counts its
        absence as evidence too.
    alpha
        Laplace smoothing: pseudo-counts added to every word, so that no word has probability 0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    class_log_prior_ : ndarray of shape (n_classes,), float64
        Log of the fraction of each class in the training set.
    feature_log_prob_ : ndarray of shape (n_classes, n_words), float64
        Log-probability of each word given the class (`bernoulli`: of its being there at all).
    """

    def __init__(self, model: str = "multinomial", alpha: float = 1.0) -> None:
        self.model = model
        self.alpha = alpha

    def fit(self, counts: Any, labels: Any) -> Self:
        """Count the words of each class.

        Parameters
        ----------
        counts : sparse matrix or array of shape (n_messages, n_words)
            How often each word is in each message.
        labels : sequence of length n_messages
            The class of each message; two classes or more.

        Raises
        ------
        K2CError
            When a parameter is not allowed, a count is negative or missing, there are no words, the labels do
            not match the rows, or there is one class only.
        """
        self._check_parameters()
        counts = self._to_counts(counts)
        self.classes_, members = _one_row_a_class(labels, n_messages=counts.shape[0])
        in_class = np.asarray(members.sum(axis=1), dtype=np.float64)
        self.class_log_prior_ = np.log(in_class) - np.log(in_class.sum())
        word_counts = (members @ counts).toarray()
        if self.model == "multinomial":
            smoothed = word_counts + self.alpha
            total = smoothed.sum(axis=1)
        else:
            # Two outcomes, there and not there: alpha is added to both.
            smoothed, total = word_counts + self.alpha, in_class + 2 * self.alpha
        self.feature_log_prob_ = np.log(smoothed) - np.log(total)[:, None]
        self.n_features_in_ = counts.shape[1]
        return self

    def joint_log_proba(self, counts: Any) -> np.ndarray:
        """Return log P(message and class), up to a term that is the same for every class.

        Parameters
        ----------
        counts : sparse matrix or array of shape (n_messages, n_words)

        Returns
        -------
        ndarray of shape (n_messages, n_classes), float64

        Raises
        ------
        K2CError
            When nothing was learnt yet, or the counts are of another vocabulary.
        """
        start, weights = self._linear()
        return self._to_counts(counts, n_words=weights.shape[1]) @ weights.T + start

    def predict_log_proba(self, counts: Any) -> np.ndarray:
        """Return log P(class given message): shape (n_messages, n_classes). See `joint_log_proba`."""
        joint = self.joint_log_proba(counts)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    def predict_proba(self, counts: Any) -> np.ndarray:
        """Return P(class given message): shape (n_messages, n_classes). See `joint_log_proba`."""
        return np.exp(self.predict_log_proba(counts))

    def predict(self, counts: Any) -> np.ndarray:
        """Return the most probable class of each message: shape (n_messages,). See `joint_log_proba`."""
        most_probable = np.argmax(self.joint_log_proba(counts), axis=1)
        return np.asarray(self.classes_[most_probable])

    def decision_function(self, counts: Any) -> np.ndarray:
        """Return the log odds of the second class (`classes_[1]`) against the first: shape (n_messages,).

        They keep their order where probabilities have long been rounded to 0 or 1.

        Raises
        ------
        K2CError
            As `joint_log_proba`, and when there are more than two classes.
        """
        start, weights = self._log_odds_linear()
        return self._to_counts(counts, n_words=weights.shape[0]) @ weights + start

    def log_odds(self, words: Sequence[str] | np.ndarray | None = None) -> pd.Series:
        """Return what each word is worth: the change of the log odds of `classes_[1]` when it appears once.

        Parameters
        ----------
        words
            The name of each column of the counts; the column's number where None.

        Returns
        -------
        Series of length n_words, float64, indexed by word.
        """
        _, weights = self._log_odds_linear()
        return pd.Series(weights, index=self._names(words), name="log odds")

    def explain(self, counts: Any, words: Sequence[str] | np.ndarray | None = None) -> pd.Series:
        """Explain one prediction by its words.

        Parameters
        ----------
        counts : sparse matrix or array of shape (1, n_words) or (n_words,)
            One message.
        words
            The name of each column; the column's number where None.

        Returns
        -------
        Series of float64, indexed by word
            What each word of the message contributes to the log odds of `classes_[1]`, largest effect first,
            after the entry `(before the first word)`: the classes' fractions (and, for `bernoulli`, all words
            being absent). The sum is the prediction's log odds.

        Raises
        ------
        K2CError
            As `decision_function`, and when there is more than one message.
        """
        start, weights = self._log_odds_linear()
        row = self._to_counts(
            counts if sparse.issparse(counts) else np.atleast_2d(counts), n_words=len(weights)
        )
        if row.shape[0] != 1:
            raise K2CError(f"explain() takes one message, not {row.shape[0]:,}. Pass one row: counts[[0]].")
        parts = pd.Series(
            row.data * weights[row.indices], index=self._names(words)[row.indices], name="log odds"
        )
        parts = parts.sort_values(key=np.abs, ascending=False, kind="stable")
        return pd.concat([pd.Series({START: start}, name="log odds"), parts])

    def _linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the start of each class and the weight of each word, for every class."""
        if not hasattr(self, "feature_log_prob_"):
            raise K2CError("This NaiveBayes has not learnt anything yet. Call fit(counts, labels) first.")
        there = self.feature_log_prob_
        if self.model == "multinomial":
            return self.class_log_prior_, there
        # Every word absent is the start; a word that is there takes its absence back.
        absent = np.log1p(-np.exp(there))
        return self.class_log_prior_ + absent.sum(axis=1), there - absent

    def _log_odds_linear(self) -> tuple[float, np.ndarray]:
        start, weights = self._linear()
        if len(start) != 2:
            raise K2CError(
                f"Log odds compare two classes, and here are {len(start)}. Use predict_log_proba()."
            )
        return float(start[1] - start[0]), weights[1] - weights[0]

    def _names(self, words: Sequence[str] | np.ndarray | None) -> pd.Index:
        names = pd.RangeIndex(self.n_features_in_) if words is None else pd.Index(words)
        if len(names) != self.n_features_in_:
            raise K2CError(_mismatch(len(names), self.n_features_in_, "names"))
        return names

    def _check_parameters(self) -> None:
        if self.model not in MODELS:
            raise K2CError(f"model must be one of {', '.join(MODELS)}, not {self.model!r}.")
        if not (np.isreal(self.alpha) and 0 < self.alpha < np.inf):
            raise K2CError(
                f"alpha must be a number above 0, not {self.alpha!r}: without pseudo-counts a word that one "
                "class never used would have probability 0. Try alpha=1.0."
            )

    def _to_counts(self, counts: Any, n_words: int | None = None) -> sparse.csr_array:
        # A copy: scipy sorts the entries in place, and a converted array shares its indices with the caller's.
        matrix = sparse.csr_array(counts, dtype=np.float64, copy=True)
        matrix.sum_duplicates()
        if n_words is not None and matrix.shape[1] != n_words:
            raise K2CError(_mismatch(matrix.shape[1], n_words, "columns"))
        if matrix.shape[1] == 0:
            raise K2CError("The counts have no columns: there is no word to learn from.")
        # Written so that NaN, which compares false with everything, is refused.
        if matrix.nnz and not (matrix.data.min() >= 0 and matrix.data.max() < np.inf):
            raise K2CError(
                "Counts must be 0 or more, and none may be missing. Pass the counts of a CountVectorizer."
            )
        if self.model == "bernoulli":
            matrix = (matrix > 0).astype(np.float64)
        return matrix


def _one_row_a_class(labels: Any, n_messages: int) -> tuple[np.ndarray, sparse.csr_array]:
    """Return the classes, and a row of zeros and ones per class: which messages are of it."""
    labels = np.asarray(labels)
    if labels.shape != (n_messages,):
        raise K2CError(
            f"{n_messages:,} messages need {n_messages:,} labels in one row, not shape {labels.shape}."
        )
    classes, row = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise K2CError(
            "Learning to tell classes apart takes examples of at least two; here is one class or none."
        )
    entries = (np.ones(n_messages), (row, np.arange(n_messages)))
    return classes, sparse.csr_array(entries, shape=(len(classes), n_messages))


def _mismatch(got: int, expected: int, what: str) -> str:
    return (
        f"The filter learnt {expected:,} words, and here are {got:,} {what}. Count with the same vocabulary: "
        "call transform(), not fit_transform(), of the CountVectorizer used for training."
    )

"""The filter that people write: a growing list of keywords."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.metrics import precision_score, recall_score

from k2c.errors import K2CError


class RuleFilter:
    """Call a message spam when it holds any keyword of a list.

    Case and the kind of white space do not matter; a keyword matches whole words (not `win` in `window`).

    Parameters
    ----------
    keywords
        The rules, in the order in which they were written.

    Attributes
    ----------
    keywords : list of str
    """

    def __init__(self, keywords: Iterable[str] = ()) -> None:
        if isinstance(keywords, str):
            raise K2CError(
                f"RuleFilter takes a list of keywords, not one text. Write RuleFilter([{keywords!r}])."
            )
        self.keywords: list[str] = []
        self._patterns: list[re.Pattern[str]] = []
        for keyword in keywords:
            self.add(keyword)

    def __repr__(self) -> str:
        return f"RuleFilter({self.keywords!r})"

    def add(self, keyword: str) -> Self:
        """Add a rule.

        Raises
        ------
        K2CError
            When the keyword is empty or is a rule already.
        """
        if not isinstance(keyword, str) or not keyword.strip():
            raise K2CError(
                f"A keyword is some text, not {keyword!r}: an empty one would match every message."
            )
        if keyword.casefold() in (known.casefold() for known in self.keywords):
            raise K2CError(f"{keyword!r} is a rule already. Remove it from the list.")
        self._patterns.append(_pattern(keyword))
        self.keywords.append(keyword)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Tell which messages are spam: shape (n_messages,), bool."""
        return np.asarray(self._matches(texts).any(axis=1))

    def growth(self, texts: Sequence[str], is_spam: Any) -> pd.DataFrame:
        """Measure the filter as it grows, one rule after another.

        Parameters
        ----------
        texts
            The messages to measure on.
        is_spam : sequence of bool, length n_messages

        Returns
        -------
        DataFrame with one row per rule: `keyword` (the rule added), `spam` and `ham` (messages that this rule
        hits), `precision`, `recall` and `ham_loss` (fraction of real mail lost) of all rules so far. Precision
        is NaN until something is called spam.

        Raises
        ------
        K2CError
            When there are no rules, or not one label per message.
        """
        labels = np.asarray(is_spam, dtype=bool)
        if labels.shape != (len(texts),):
            raise K2CError(f"{len(texts):,} messages need {len(texts):,} labels, not shape {labels.shape}.")
        if not self.keywords:
            raise K2CError("There are no rules to measure yet. Add one: add('free').")
        matches = self._matches(texts)
        caught = np.logical_or.accumulate(matches, axis=1)
        rows = [
            {
                "keyword": keyword,
                "spam": int((matches[:, rule] & labels).sum()),
                "ham": int((matches[:, rule] & ~labels).sum()),
                "precision": precision_score(labels, caught[:, rule], zero_division=np.nan),
                "recall": recall_score(labels, caught[:, rule], zero_division=np.nan),
                "ham_loss": float(caught[~labels, rule].mean()) if (~labels).any() else np.nan,
            }
            for rule, keyword in enumerate(self.keywords)
        ]
        return pd.DataFrame(rows)

    def _matches(self, texts: Sequence[str]) -> np.ndarray:
        """Return which rule hits which message: shape (n_messages, n_rules), bool."""
        hits = [[rule.search(text) is not None for rule in self._patterns] for text in texts]
        return np.array(hits, dtype=bool).reshape(len(texts), len(self._patterns))


def _pattern(keyword: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, keyword.split()))
    # A keyword such as "!!!" or "£" has no word boundary to stand at.
    before = r"(?<!\w)" if re.match(r"\w", keyword.strip()) else ""
    after = r"(?!\w)" if re.search(r"\w$", keyword.strip()) else ""
    return re.compile(before + words + after, re.IGNORECASE)

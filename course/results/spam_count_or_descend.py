"""Naive Bayes against logistic regression on more and more messages: course/results/spam_count_or_descend.csv.

Usage: python course/results/spam_count_or_descend.py   (about 3 CPU minutes; downloads the SMS Spam Collection once)
"""

import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from k2c.course import write_measured
from k2c.datasets import load_spam
from k2c.metrics import accuracy_by_size, difference_by_size
from k2c.models import NaiveBayes

REPEATS = 20
SIZES = {"shipped": [40, 80, 160, 320, 640, 945], "sms": [40, 80, 160, 320, 640, 1280, 2560, 3619]}
VOCABULARIES = {
    "100 words": {"max_features": 100},
    "all words": {},
    "1,000 pieces": {"max_features": 1000, "analyzer": "char_wb", "ngram_range": (3, 4)},
}


def measure(source: str, vocabulary: str, repeats: int = REPEATS) -> pd.DataFrame:
    """Return the accuracy of both, and their paired difference with its interval, at each size."""
    messages = load_spam(source).without_duplicates()
    counts = CountVectorizer(**VOCABULARIES[vocabulary]).fit_transform(messages.texts)
    learners = {"naive_bayes": NaiveBayes(), "logistic": LogisticRegression(max_iter=1000)}
    table = accuracy_by_size(learners, counts, messages.is_spam, SIZES[source], repeats)
    means = table.groupby("examples")[list(learners)].mean()
    return means.join(difference_by_size(table, *learners)).reset_index()


def main() -> None:
    """Measure both corpora with each vocabulary, and write the table with how it was made."""
    parts = [
        measure(source, vocabulary).assign(source=source, vocabulary=vocabulary).round(5)
        for source in SIZES
        for vocabulary in VOCABULARIES
    ]
    about = (
        f"{REPEATS} random splits, 30% held back for the test; alpha = 1, C = 1; the most frequent words or pieces of "
        "3 to 4 characters, counted without labels; difference: Naive Bayes minus logistic regression, with the 95% "
        "interval of Nadeau and Bengio (2003)"
    )
    command = "python course/results/spam_count_or_descend.py"
    write_measured(
        "spam_count_or_descend", pd.concat(parts), command, about, libraries=("scikit-learn", "numpy")
    )


if __name__ == "__main__":
    main()

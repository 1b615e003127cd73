"""A message box whose words light up."""

from typing import Any

from sklearn.feature_extraction.text import CountVectorizer

from k2c.display.text import explained_card
from k2c.display.widgets.base import LectureWidget, front_end, packed
from k2c.errors import K2CError
from k2c.models import NaiveBayes

EXAMPLE = "Hi, thanks for the photos! Please confirm your account today to claim the free prize."


def light_up(message: str, vectorizer: Any, classifier: NaiveBayes) -> tuple[str, str]:
    """Return a message with its words coloured by their log odds, as a page and as plain text.

    Parameters
    ----------
    message
        The text.
    vectorizer
        The fitted `CountVectorizer` that the classifier's counts came from.
    classifier
        The filter, fitted.
    """
    words = vectorizer.get_feature_names_out()
    return explained_card(message, classifier.explain(vectorizer.transform([message]), words), "", width=5000)


class MessageBox(LectureWidget):
    """A box to type a message in; its words light up by their log odds, red for spam and blue for ham.

    Parameters
    ----------
    vectorizer, classifier
        See `light_up`. The vectorizer splits words as `CountVectorizer()` does by default.
    message
        What stands in the box at the start.
    """

    front = "messages"
    _esm = front_end(front)

    def __init__(self, vectorizer: Any, classifier: NaiveBayes, message: str = EXAMPLE) -> None:
        if not hasattr(vectorizer, "vocabulary_"):
            raise K2CError("This vectorizer has not counted anything yet. Call fit_transform(texts) first.")
        own = [
            f"{name}={value!r}" for name, value in vectorizer.get_params().items() if _differs(name, value)
        ]
        if own:
            raise K2CError(
                f"The message box splits words as CountVectorizer() does, and this one has {', '.join(own)}. Use "
                "show_explained for its messages."
            )
        self.vectorizer, self.classifier = vectorizer, classifier
        words = vectorizer.get_feature_names_out()
        data = {
            "words": " ".join(words),
            "log_odds": packed(classifier.log_odds(words), "float64"),
            "start": float(classifier.explain(vectorizer.transform([""]), words).iloc[0]),
            "once": bool(vectorizer.binary or classifier.model == "bernoulli"),
        }
        super().__init__(data, message=message)

    def still(self) -> dict[str, str]:
        """Return the message with its words coloured, and the words that count most as text."""
        page, plain = light_up(self.values["message"], self.vectorizer, self.classifier)
        return {"text/html": page, "text/plain": plain}


def _differs(name: str, value: Any) -> bool:
    """Whether a parameter of a vectorizer changes which words a message has."""
    return name in _SPLITTING and value != getattr(CountVectorizer(), name)


_SPLITTING = (
    "analyzer", "lowercase", "ngram_range", "preprocessor", "stop_words", "strip_accents", "token_pattern", "tokenizer"
)  # fmt: skip

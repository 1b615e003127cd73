"""A message box whose words light up."""

from typing import Any

import ipywidgets

from k2c.display.text import explained_card
from k2c.display.widgets.base import LectureWidget
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
        See `light_up`.
    message
        What stands in the box at the start.
    """

    def __init__(self, vectorizer: Any, classifier: NaiveBayes, message: str = EXAMPLE) -> None:
        if not hasattr(vectorizer, "vocabulary_"):
            raise K2CError("This vectorizer has not counted anything yet. Call fit_transform(texts) first.")
        self.vectorizer, self.classifier = vectorizer, classifier
        self.box = ipywidgets.Textarea(
            message,
            description="Message",
            placeholder="Type or paste a message",
            layout={"width": "100%", "max_width": "760px", "height": "110px"},
        )
        super().__init__([self.box], ipywidgets.HTML())

    def still(self) -> dict[str, str]:
        """Return the message with its words coloured, and the words that count most as text."""
        page, plain = light_up(self.box.value, self.vectorizer, self.classifier)
        return {"text/html": page, "text/plain": plain}

    def show(self) -> None:
        """Colour the words."""
        self.view.value = self.still()["text/html"]

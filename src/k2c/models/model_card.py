"""What the users of a classifier must know: what it learnt from, how well it does, what it is not for."""

from dataclasses import dataclass, fields
from typing import Any

from k2c.errors import K2CError

NOT_FOR = (
    "Decisions about people, such as a diagnosis: it is not a medical device. Nor images of another kind than those it "
    "was trained on: it gives every image one of its answers."
)
_MOST = 2000  # characters of each text


@dataclass(frozen=True)
class ModelCard:
    """Three texts that go wherever a classifier goes: into its file, its report, and its web page.

    Attributes
    ----------
    trained_on
        Which images, and how many.
    measured
        Its performance on images that it did not learn from, with an interval.
    not_for
        What it must not be used for.

    References
    ----------
    Mitchell, Wu, Zaldivar, Barnes, Vasserman, Hutchinson, Spitzer, Raji, Gebru: Model cards for model reporting (2019).
    """

    trained_on: str = "Not stated."
    measured: str = "Not measured."
    not_for: str = NOT_FOR


def read_card(content: dict[str, Any]) -> ModelCard:
    """Return the card of a file that somebody wrote; `K2CError` where it holds anything but three short texts."""
    known = {field.name for field in fields(ModelCard)}
    if content.keys() - known or not all(
        isinstance(text, str) and len(text) <= _MOST for text in content.values()
    ):
        raise K2CError("its entry 'card' holds more than three short texts.")
    return ModelCard(**content)

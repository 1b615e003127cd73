"""A parameter of a lecture: its type, its bounds, and how a value that somebody typed is read."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from k2c._system.printable import printable
from k2c.errors import K2CError

Value = bool | int | float | str
_NOUNS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


class ParameterError(K2CError):
    """A parameter is unknown, of the wrong type or out of range; the message lists what is allowed."""


class Strict(BaseModel):
    """An entry in which nothing unknown may stand."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(Strict):
    """One parameter of a lecture.

    Attributes
    ----------
    type
        `int`, `float`, `bool` or `str`.
    default
        The value of the `lecture` profile.
    help
        One line, the same as the comment in the notebook's parameter cell.
    minimum, maximum
        Inclusive bounds of a number.
    choices
        The allowed values of a `str`; empty for free text.
    path
        Whether a `str` that is none of the choices, and not empty, is the path of something of the user's own.
    inside
        Another parameter, which names a folder: the path may also be that of a file in it.
    """

    type: Literal["int", "float", "bool", "str"]
    default: Value
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    path: bool = False
    inside: str = ""

    @model_validator(mode="after")
    def _default_is_allowed(self) -> "Parameter":
        try:
            self.convert("default", self.default)
        except ParameterError as error:
            raise ValueError(str(error)) from error  # pydantic adds the place in the file to a ValueError
        return self

    def allowed(self) -> str:
        """Describe the allowed values in words: `a whole number from 1 to 100`."""
        if self.path:
            return ", ".join([*self.choices, "or a path" if self.choices else "a path"])
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = _NOUNS[self.type]
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{words} of at least {self.minimum:g}"
        return words if self.maximum is None else f"{words} of at most {self.maximum:g}"

    def convert(self, name: str, value: Any) -> Value:
        """Return the value in this parameter's type; text, as typed on a command line, is read.

        Raises
        ------
        ParameterError
            When the value cannot be read or is not allowed.
        """
        converted = self._read(value)
        if converted is None or not self._in_range(converted):
            raise ParameterError(f"{name} must be {self.allowed()}, not {_shown(value)}.")
        return converted

    def is_path(self, value: Value) -> bool:
        """Tell whether a value names something of the user's own."""
        return self.path and value != "" and value not in self.choices

    def _read(self, value: Any) -> Value | None:
        if self.type == "bool":
            text = str(value).lower()
            return None if text not in ("true", "false") else text == "true"
        if self.type == "str":
            return value if isinstance(value, str) else None
        if isinstance(value, bool):
            return None
        try:
            if self.type == "int" and isinstance(value, int):
                return value  # as it is: a float has 53 bits
            number = float(value)
            if self.type == "float":
                return number
            return (int(value) if isinstance(value, str) else int(number)) if number.is_integer() else None
        except (TypeError, ValueError, OverflowError):
            return None

    def _in_range(self, value: Value) -> bool:
        if self.choices and value not in self.choices:
            return self.path
        if self.type not in ("int", "float"):
            return True
        # Infinity is no setting, and more than 63 bits are no number to torch or to NumPy.
        if isinstance(value, int) and abs(value) >= 2**63:
            return False
        number = float(value)
        return (
            math.isfinite(number)
            and (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
        )


def _shown(value: object) -> str:
    shown = (
        printable(repr(value)) if not isinstance(value, int) or abs(value) < 10**20 else "such a large number"
    )
    return shown if len(shown) <= 80 else f"{shown[:79]}…"

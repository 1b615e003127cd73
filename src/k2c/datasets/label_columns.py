"""The columns of a CSV file of labels: what they mean, and what their values are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from k2c._system.printable import printable
from k2c.errors import K2CError

# Of what people write where nothing is known. "none" is not among them: it is the name of grade 0.
NOT_KNOWN = {"", "-", "--", "?", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null"}
YES_NO = {"no": 0, "false": 0, "negative": 0, "yes": 1, "true": 1, "positive": 1}

_AGE = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>[ymwd])?(?:ears?|r|rs|onths?|o|os|eeks?|ks?|ays?)?\.?",
    re.IGNORECASE,
)
_OF_A_YEAR = {"y": 1.0, "m": 12.0, "w": 365.25 / 7, "d": 365.25}
OLDEST = 120  # years; ChestX-ray14 has patients of 411


@dataclass
class LabelsCsv:
    """A CSV file as text, and where in the file each row is.

    Attributes
    ----------
    path
        The file.
    rows
        Text without spaces around it; empty where nothing is known (`NOT_KNOWN`).
    lines
        The line of the file on which each row begins, counted from 1.
    decimal_comma
        Whether `0,5` may be a number: not where the comma separates.
    notes
        Sentences on what was read in a special way.
    """

    path: Path
    rows: pd.DataFrame
    lines: list[int]
    decimal_comma: bool = False
    notes: list[str] = field(default_factory=list)

    def at(self, row: int | np.integer) -> str:
        """Return the file and the line of a row, for the beginning of a sentence."""
        return f"{printable(self.path)}, line {self.lines[int(row)]}"

    def has(self) -> str:
        """Return the names of the columns, for a sentence."""
        return ", ".join(printable(name) for name in self.rows)

    def named(self, meanings: Mapping[str, str]) -> dict[str, str]:
        """Return the columns' names by what they mean; of several for one meaning, the first in the list.

        Parameters
        ----------
        meanings
            For each, the names that a column may have, compared as `plain_name` gives them.
        """
        by_name = {plain_name(column): column for column in self.rows}
        return {
            meaning: next(by_name[name] for name in names.split() if name in by_name)
            for meaning, names in meanings.items()
            if by_name.keys() & set(names.split())
        }

    def numbers(self, column: str) -> pd.Series:
        """Return a column as float64; NaN where nothing is known and where there is no number."""
        text = self.rows[column]
        if self.decimal_comma:
            text = text.str.replace(",", ".", regex=False)
        return pd.to_numeric(text.where(text != ""), errors="coerce").astype(np.float64)

    def choices(self, column: str, what: str, numbers: range, words: Mapping[str, int]) -> pd.Series:
        """Return a column of whole numbers or words for them as float64, NaN where nothing is known.

        Parameters
        ----------
        column, what
            Its name, and what it is for the sentence: `"the grade"`.
        numbers
            Those that are allowed.
        words
            Words for them, as `plain_name` gives them.

        Raises
        ------
        K2CError
            At the first value that is neither.
        """
        text = self.rows[column]
        values = self.numbers(column)
        values = values.fillna(text.map(plain_name).map(words))
        for row in np.flatnonzero((text != "") & ~values.isin(list(numbers))):
            allowed = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 2 else " or ".join(map(str, numbers))
            raise K2CError(
                f"{self.at(row)}: {what} is '{printable(text.iloc[row])}', but must be {allowed} or empty."
            )
        return values.astype(np.float64)

    def ages(self, column: str) -> pd.Series:
        """Return a column of ages in years: `58`, `058Y`, `011M`, `4W`, `3D`; NaN where there is no possible age."""
        ages = self.rows[column].map(_years).astype(np.float64)
        odd = self.rows[column][ages.isna() & (self.rows[column] != "")]
        if len(odd):
            self.notes.append(
                f"Ages that are impossible count as not known: {len(odd):,}, such as '{printable(odd.iloc[0])}'."
            )
        return ages


def _years(text: str) -> float:
    parts = _AGE.fullmatch(text)
    if not parts:
        return np.nan
    years = float(parts["number"].replace(",", ".")) / _OF_A_YEAR[(parts["unit"] or "y").lower()]
    return years if years <= OLDEST else np.nan


def plain_name(name: object) -> str:
    """Return a name without case, spaces and signs: how columns and words are compared."""
    text = str(name).casefold()
    return re.sub(r"[\W_]", "", text) or text.strip()

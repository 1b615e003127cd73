"""What the table of labelled images must hold, and which rows of it may be asked for."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from k2c.errors import K2CError

Rows: TypeAlias = Sequence[int] | Sequence[bool] | NDArray[Any] | slice

REQUIRED = ("image", "patient")


def as_index(rows: Rows, length: int) -> Any:
    """Return rows as numpy takes them; `K2CError` where there are none such."""
    if isinstance(rows, slice):
        return rows
    index = np.asarray(rows)
    if index.size == 0:
        return index.astype(np.int64)
    if index.dtype == bool and len(index) != length:
        raise K2CError(f"The mask has {len(index):,} values, but there are {length:,} images.")
    if index.dtype != bool and (index.max() >= length or index.min() < -length):
        raise K2CError(f"There is no row {index.max()}: there are {length:,} images, 0 to {length - 1}.")
    return index


def check_table(table: pd.DataFrame, classes: tuple[str, ...]) -> None:
    """Raise `K2CError` when a column is missing, or a label is none of the classes."""
    absent = [name for name in REQUIRED if name not in table]
    if "label" not in table:
        absent += [name for name in classes if name not in table]
    if absent:
        has = ", ".join(map(str, table.columns))
        raise K2CError(f"The table lacks the column {', '.join(absent)}. It has: {has}.")
    allowed: Sequence[int] = range(len(classes)) if "label" in table else (0, 1)
    for column in ["label"] if "label" in table else classes:
        good = table[column].isin(allowed) | (table[column].isna() if column != "label" else False)
        if not good.all():
            row = int(np.flatnonzero(~good.to_numpy())[0])
            wrong = table[column].iloc[row]
            raise K2CError(
                f"Row {row}: {column} is {wrong}, but must be one of {', '.join(map(str, allowed))}."
            )

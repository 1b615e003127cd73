"""What a training run measured, a row per epoch."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from k2c.errors import K2CError

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]


@dataclass
class History:
    """The rows that `fit` measured: `history["train_loss"]`, `history.last`, `history.to_pandas()`.

    Attributes
    ----------
    rows
        One dictionary per epoch: `epoch` (from 1), `train_loss` (mean over the examples, while the weights
        changed), `valid_loss` and one value per metric when there were validation batches, `learning_rate`
        (of the epoch's last step) and `seconds` (training and validation together).
    stopped
        Why a callback ended the training early, or None.
    """

    rows: list[Row] = field(default_factory=list)
    stopped: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        if not any(column in row for row in self.rows):
            raise K2CError(
                f"The history has no column {column!r}. It has: {', '.join(self.columns) or 'no epoch yet'}."
            )
        return [row.get(column) for row in self.rows]

    def __repr__(self) -> str:
        # No seconds here: the same run shall print the same text.
        values = (
            [
                f"{name} {value:.4g}"
                for name, value in self.last.items()
                if name not in ("epoch", "seconds") and isinstance(value, int | float)
            ]
            if self.rows
            else []
        )
        epochs = f"{len(self)} epoch" + ("" if len(self) == 1 else "s")
        return f"History({', '.join([epochs, *values])}" + (
            f"; stopped: {self.stopped})" if self.stopped else ")"
        )

    @property
    def columns(self) -> list[str]:
        """The names that appear in the rows, in order of first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def last(self) -> Row:
        """The row of the last epoch.

        Raises
        ------
        K2CError
            When no epoch has ended.
        """
        if not self.rows:
            raise K2CError("No epoch has ended, so the history is empty. Train with epochs=1 or more.")
        return self.rows[-1]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a table, indexed by epoch."""
        import pandas

        return pandas.DataFrame(self.rows, columns=self.columns or ["epoch"]).set_index("epoch")

    def to_json(self) -> str:
        """Return the history as JSON text; NaN and infinity, which JSON lacks, become null."""
        return json.dumps({"rows": _finite(self.rows), "stopped": self.stopped}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "History":
        """Return the history that `to_json` wrote.

        Raises
        ------
        K2CError
            When the text is something else.
        """
        try:
            content = json.loads(text)
            return cls(rows=[dict(row) for row in content["rows"]], stopped=content["stopped"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise K2CError("This text is not a history. Read one that History.to_json() wrote.") from error


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value

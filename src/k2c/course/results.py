"""What a lecture claims (`guard`), measures (`record`), and quotes from longer measurements (`measured`).

Claims and records print a line and put the measured values into the metadata of that output, under one MIME type, where
`k2c.runs` collects them. nbval compares the line: of a claim its name, its bounds and whether it holds, but not the
digits of the measured value, which may differ on another machine (`tests/notebooks/sanitize.cfg`).
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from k2c._system.atomic import atomic_path
from k2c._system.outputs import publish
from k2c._system.paths import project_root
from k2c.course import lecture
from k2c.errors import K2CError, unknown

if TYPE_CHECKING:
    import pandas

NOT_MEASURABLE = "not measurable"  # the status of a claim whose value these data cannot give
Bound = float | Mapping[str, float] | None


class GuardError(K2CError):
    """A claim of a lecture does not hold; the message has the measured value."""


def guard(name: str, value: float | None, *, low: Bound = None, high: Bound = None) -> None:
    """Check a claim, print the measured value beside it, and record the value.

    Parameters
    ----------
    name
        What is claimed, as it should read in the report: `"test accuracy"`.
    value
        The measured number (anything that `float` takes: a numpy or torch scalar too); None where these data do not
        allow the measurement, such as one against the truth where nobody knows it. That is said and recorded, and
        nothing is claimed: a number in its place, such as 0, would be read as a result.
    low, high
        Bounds, inclusive; at least one. A number always holds. A mapping from profile to number holds for these
        profiles only, as in `{"lecture": 0.985, "full": 0.991}`: with other settings (a smoke test, or parameters
        that a student changed) the value is recorded and nothing is claimed.

    Raises
    ------
    GuardError
        When the value is outside the bounds or is not a number.
    """
    if low is None and high is None:
        raise ValueError(f"guard({name!r}) claims nothing: give low=, high= or both.")
    if value is None:
        publish(f"{name}: not measurable with these data", _entry(name, None, None, None, NOT_MEASURABLE))
        return
    number = float(value)
    low, high = _bound(low), _bound(high)
    claim = _claim(low, high)
    if claim is None:
        publish(
            f"{name}: {_words(number)} (no claim: the text around it was written for the default settings)",
            _entry(name, number, None, None, "not claimed"),
        )
        return
    holds = not math.isnan(number) and (low is None or number >= low) and (high is None or number <= high)
    if holds:
        publish(f"{name}: {_words(number)} ({claim})", _entry(name, number, low, high, "ok"))
    else:
        publish(f"{name}: {number:.6g} (not {claim})", _entry(name, number, low, high, "failed"))
        raise GuardError(f"{name} should be {claim}, and it is {number:.6g}.")


def record(**values: Any) -> None:
    """Store results in the executed notebook: JSON scalars, or series of up to 10,000 of them.

    Numpy and torch scalars, arrays and tensors become plain numbers and lists. A repeated name replaces the earlier.

    Raises
    ------
    K2CError
        When a value is of another kind or a series is too long.
    """
    plain = {name: _plain(name, value) for name, value in values.items()}
    publish(f"recorded: {', '.join(plain)}", {"record": plain})


def measured(name: str) -> "pandas.DataFrame":
    """Return a table of measured facts.

    Parameters
    ----------
    name
        Of the file `course/results/<name>.csv`. Its first lines begin with `#` and say how it was made: the command,
        the versions and the date.

    Returns
    -------
    DataFrame
        The table as it stands in the file; what its first lines say is in `attrs["made"]`.

    Raises
    ------
    K2CError
        When there is no such table.
    """
    import pandas as pd  # here, because `import k2c` is cheap

    folder = project_root() / "course" / "results"
    file = folder / f"{name}.csv"
    if not file.is_file():
        raise K2CError(
            unknown("table of results", name, sorted(found.stem for found in folder.glob("*.csv")))
        )
    made = list(takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines()))
    table = pd.read_csv(file, skiprows=len(made))
    table.attrs["made"] = "\n".join(line[1:].strip() for line in made)
    return table


def write_measured(
    name: str, table: "pandas.DataFrame", command: str, about: str, libraries: Sequence[str] = ("torch",)
) -> Path:
    """Write a table of measured facts, with how it was made, as `measured` reads it.

    Parameters
    ----------
    name
        Of the file `course/results/<name>.csv`; one that is there is replaced when the new one is complete.
    table
        What was measured. The index is written where it has a name.
    command
        What makes the file again, as typed in the course's folder.
    about
        One line: the data, the settings, and what the columns are.
    libraries
        The distributions whose versions the numbers depend on.

    Returns
    -------
    Path
        The file.
    """
    from importlib.metadata import version  # here, because `import k2c` is cheap

    versions = [f"k2c {version('k2c')}", *(f"{library} {version(library)}" for library in libraries)]
    made = f"# {command}\n# {datetime.date.today()}, {', '.join(versions)}\n# {about}\n"
    file = project_root() / "course" / "results" / f"{name}.csv"
    with atomic_path(file) as part:
        part.write_text(made + table.to_csv(index=any(table.index.names)), encoding="utf-8")
    return file


def _bound(bound: Bound) -> float | None:
    return bound.get(lecture.current_profile()) if isinstance(bound, Mapping) else bound


def _claim(low: float | None, high: float | None) -> str | None:
    if low is not None and high is not None:
        return f"exactly {_words(low)}" if low == high else f"from {_words(low)} to {_words(high)}"
    if low is not None:
        return f"at least {_words(low)}"
    return None if high is None else f"at most {_words(high)}"


def _words(number: float) -> str:
    """Write a number as a reader wants it: whole numbers in full, others to four digits."""
    whole = float(number).is_integer() or abs(number) >= 10_000
    return f"{number:,.0f}" if whole and math.isfinite(number) else f"{number:.4g}"


def _entry(
    name: str, value: float | None, low: float | None, high: float | None, status: str
) -> dict[str, Any]:
    finite = value if value is None or math.isfinite(value) else repr(value)  # JSON has no NaN
    return {"guard": {"name": name, "value": finite, "low": low, "high": high, "status": status}}


def _plain(name: str, value: Any, limit: int = 10_000) -> Any:
    if hasattr(value, "tolist"):  # numpy and torch, without importing either
        value = value.tolist()
    if isinstance(value, list | tuple):
        if len(value) > limit:
            raise K2CError(
                f"record({name}=...) has {len(value):,} entries; at most {limit:,} fit. Record a summary instead."
            )
        return [_plain(name, entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise K2CError(
        f"record({name}=...) takes numbers, text, True/False, None and lists of them, "
        f"not {type(value).__name__}. Convert it first."
    )

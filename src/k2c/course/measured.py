"""Measured facts: tables under `course/results`, of what takes longer to measure than a lecture allows."""

from typing import TYPE_CHECKING

from k2c._system.paths import project_root
from k2c.errors import K2CError, unknown

if TYPE_CHECKING:
    import pandas


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
    table = pd.read_csv(file, comment="#")
    lines = file.read_text(encoding="utf-8").splitlines()
    table.attrs["made"] = "\n".join(line[1:].strip() for line in lines if line.startswith("#"))
    return table

"""Find the CSV file that describes a folder of pictures."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from k2c.errors import K2CError


def find_sheet(
    folder: Path,
    sheet: str | os.PathLike[str] | None,
    known: Sequence[str],
    plain: Callable[[Path], str],
    what: str,
) -> Path:
    """Return the CSV file of a folder.

    Parameters
    ----------
    folder
        Of the pictures.
    sheet
        A path, or the name of a file in the folder. None looks for a known name, then for the only CSV file.
    known
        Names that are preferred, the first that is there.
    plain
        How a path is compared with them.
    what
        Is in the file, for the sentence: `"labels"`.

    Raises
    ------
    K2CError
        When the folder or the file is missing, or several files could be meant.
    """
    if not folder.is_dir():
        raise K2CError(f"There is no folder {folder}.")
    if sheet is not None:
        for path in (Path(sheet).expanduser(), folder / sheet):
            if path.is_file():
                return path
        raise K2CError(f"There is no file {sheet}, and none of that name in {folder}.")
    sheets = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    preferred = [path for name in known for path in sheets if plain(path) == name]
    if not preferred and len(sheets) != 1:
        which = f"several CSV files ({', '.join(path.name for path in sheets)})" if sheets else "no CSV file"
        raise K2CError(f"{folder} has {which}: name the one with the {what}, as labels=...")
    return (preferred or sheets)[0]

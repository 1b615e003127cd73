"""Find the CSV file that describes a folder of images, and what to do about rows without an image."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from k2c.errors import K2CError, unknown

MISSING = ("error", "skip")
SKIP_ADVICE = 'Use missing="skip" (on the command line: -p missing=skip) to go on without.'


def check_missing(missing: str) -> None:
    """Raise `K2CError` unless `missing` is a way to deal with rows that lack an image or a label."""
    if missing not in MISSING:
        raise K2CError(unknown("way with missing images", missing, MISSING))


def only_of_a_folder(source: str, labels: str | os.PathLike[str] | None, missing: str) -> None:
    """Raise `K2CError` where a CSV file is named for a source that is no folder; `missing` has nothing to do there."""
    check_missing(missing)
    if labels:
        raise K2CError(
            f'labels="{os.fspath(labels)}" names the CSV file of a folder, but the source is "{source}". '
            "Name the folder as the source, or leave labels out."
        )


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
        A path, or the name of a file in the folder. None or an empty text looks for a known name, then for the
        only CSV file.
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
    if sheet:
        for path in (Path(sheet).expanduser(), folder / sheet):
            if path.is_file():
                return path
        raise K2CError(f"There is no file {sheet}, and none of that name in {folder}.")
    sheets = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    preferred = [path for name in known for path in sheets if plain(path) == name]
    if not preferred and len(sheets) != 1:
        which = f"several CSV files ({', '.join(path.name for path in sheets)})" if sheets else "no CSV file"
        raise K2CError(
            f'{folder} has {which}: name the one with the {what}: labels="..." '
            "(on the command line: -p labels=...)."
        )
    return (preferred or sheets)[0]

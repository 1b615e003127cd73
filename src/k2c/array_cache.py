"""Arrays that are dear to compute: computed once, kept in a file, mapped from it afterwards."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from k2c.atomic import atomic_path


def kept_array(
    file: Path, compute: Callable[[], NDArray[Any]], fits: Callable[[NDArray[Any]], bool], what: str
) -> NDArray[Any]:
    """Return the array of a file; compute it first where there is none.

    Processes that want the same array wait for the one that computes it. A file that was cut short, or that `fits`
    refuses, is made anew. Where the folder cannot be written, or the disk is full, the array is computed, and a
    warning says that it is not kept.

    Parameters
    ----------
    file
        Ends in `.npy`.
    compute
        Makes the array.
    fits
        Whether an array that was found is the one (its shape, its dtype).
    what
        Names the arrays in the warning: `"features"`.

    Returns
    -------
    numpy.ndarray
        Mapped from the file where there is one. Writing to it does not change the file.
    """
    found = _open(file, fits)
    if found is not None:
        return found
    array = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.stem}.lock")):
            array = _open(file, fits)
            if array is None:
                array = compute()
                with atomic_path(file) as part, part.open("wb") as stream:
                    np.save(stream, array)
    except OSError as error:
        why = error.strerror or "the disk may be full"
        warnings.warn(
            f"The {what} are not kept, because {file.parent} cannot be written ({why}). Set K2C_DATA to a folder "
            "that can, or they are computed each time.",
            stacklevel=4,
        )
        return compute() if array is None else array
    kept = _open(file, fits)
    return array if kept is None else kept


def _open(file: Path, fits: Callable[[NDArray[Any]], bool]) -> NDArray[Any] | None:
    try:
        # "c": torch shares the memory of arrays that can be written to; what it writes stays in memory
        array = np.lib.format.open_memmap(file, mode="c")
        whole = file.stat().st_size == array.offset + array.nbytes
    except (OSError, ValueError):
        return None
    return array if whole and fits(array) else None

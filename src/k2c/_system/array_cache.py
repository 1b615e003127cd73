"""Arrays that are expensive to compute: computed once, kept in a file, and memory-mapped afterwards."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from k2c._system.atomic import atomic_path
from k2c._system.sealed import look_once, problem_of, seal

_KIND = "array 1"


def kept_array(
    file: Path, compute: Callable[[], NDArray[Any]], fits: Callable[[NDArray[Any]], bool], what: str
) -> NDArray[Any]:
    """Return the array of a file; compute it first where there is none.

    Processes that want the same array wait for the one that computes it. A file that is damaged (one bit is enough:
    a checksum stands at its end, and each process checks it once) is computed again, with a warning; one that `fits`
    refuses, without. Where the folder cannot be written, or the disk is full, the array is computed, and a warning says
    that it is not kept.

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
    found = _open(file, fits, what)
    if found is not None:
        return found
    array = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.stem}.lock")):
            array = _open(file, fits)
            if array is None:
                array = compute()
                with atomic_path(file) as part:
                    _write(part, array)
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


def _write(part: Path, array: NDArray[Any]) -> None:
    with part.open("wb") as stream:
        np.save(stream, array)
    content = np.memmap(part, np.uint8, mode="r")
    with part.open("ab") as stream:
        stream.write(seal(content.data, _KIND))


def _open(file: Path, fits: Callable[[NDArray[Any]], bool], what: str | None = None) -> NDArray[Any] | None:
    """Return the array of a file, or None; where the file is damaged, say so if `what` names the arrays."""
    try:
        problem = look_once(file, _problem)
        if problem is None:
            # "c": torch shares the memory of arrays that can be written to; what it writes stays in memory
            array = np.lib.format.open_memmap(file, mode="c")
            return array if fits(array) else None
    except OSError:  # not there, or not to be reached
        return None
    except ValueError as error:
        problem = str(error)
    if what:
        warnings.warn(
            f"The {what} kept in {file} are damaged: {problem}. They are computed again.", stacklevel=5
        )
    return None


def _problem(file: Path) -> str | None:
    return (
        problem_of(np.memmap(file, np.uint8, mode="r").data, _KIND) if file.stat().st_size else "it is empty"
    )

"""Write a file so that readers see all of it or none of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(final: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that takes the name `final` when the block succeeds.

    Parameters
    ----------
    final
        The file to write. Its folder is made when it is missing.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder (and so on the same file system, where a rename is atomic). It is
        removed when the block raises; a file that already had the final name then stays as it was.
    """
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = _new_part(final, final.parent)
    try:
        yield part
        _sync(part)
        part.chmod(0o666 & ~_umask())  # mkstemp makes private files; the finished one is an ordinary file
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def check_writable(final: Path, *, folder: bool = False) -> None:
    """Raise now what writing a file, or files into a folder, would raise after minutes of work; leaves nothing behind.

    Raises
    ------
    OSError
        About `final`: there is no permission, a file is where a folder is needed, the name is too long.
    """
    try:
        place = final if folder else final.parent
        while not place.exists():
            place = place.parent
        _new_part(final, place).unlink()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(final)) from error


def _new_part(final: Path, folder: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{final.name}.", suffix=".part")
    os.close(handle)
    return Path(name)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Files of strangers, in folders, in zips and in zips within zips: found and read within bounds, nothing unpacked."""

import io
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from k2c.errors import K2CError

MAXIMUM_BYTES = 20_000_000  # of one file
MOST_FILES, MOST_UNPACKED, DEEPEST = 50_000, 2_000_000_000, 3


@dataclass(frozen=True)
class Item:
    """One file: its path in the export, when it was written, and how to read it (at most `MAXIMUM_BYTES`)."""

    path: PurePosixPath
    written: float
    read: Callable[[], bytes]


def files_in(path: Path, left_out: Counter[str]) -> list[Item]:
    """Return the files in a zip or a folder; count by reason in `left_out` those that are none of a student's.

    Raises
    ------
    K2CError
        When the zip cannot be read, or there is more than any class hands in.
    """
    return list(_Walk(left_out).items(path))


def read_regular_file(file: Path) -> bytes:
    """Return the content of a stranger's file: no link is followed, no pipe waited for, and no more read than allowed.

    Raises
    ------
    ValueError
        When it is anything but a file, or too large.
    """
    if file.is_symlink():
        raise ValueError("it is a link")
    careful = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
    descriptor = os.open(file, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in careful))
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no file")
        return _within(opened.read(MAXIMUM_BYTES + 1))


def _within(content: bytes) -> bytes:
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(f"it has more than the {MAXIMUM_BYTES / 1e6:.0f} MB that are allowed")
    return content


class _Walk:
    """Goes through folders, zips and zips in zips, within bounds."""

    def __init__(self, left_out: Counter[str]) -> None:
        self.left_out, self.files, self.unpacked = left_out, 0, 0

    def items(self, path: Path) -> Iterator[Item]:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                for name in [*names, *(one for one in folders if Path(folder, one).is_symlink())]:
                    file = Path(folder, name)
                    inside = PurePosixPath(file.relative_to(path).as_posix())
                    read = partial(read_regular_file, file)
                    yield from self._found(Item(inside, file.lstat().st_mtime, read), 0)
        else:
            try:
                yield from self._entries(partial(zipfile.ZipFile, path), PurePosixPath(), 0)
            except (OSError, zipfile.BadZipFile) as error:
                raise K2CError(f"{path} is no zip that can be read ({error}). Download it again.") from error

    def _found(self, item: Item, depth: int) -> Iterator[Item]:
        self.files += 1
        if self.files > MOST_FILES:
            raise K2CError(f"There are more than {MOST_FILES:,} files. Grade one assignment's download.")
        if is_hidden(item.path):
            self.left_out["hidden files and those of macOS"] += 1
        elif item.path.suffix.lower() != ".zip" or depth >= DEEPEST:
            yield item
        else:
            yield from self._unpacked(item, depth)

    def _unpacked(self, item: Item, depth: int) -> Iterator[Item]:
        """Yield what a zip holds; one that cannot be read stays a file, so that its student gets a row."""
        archive = partial(_opened, item)
        try:
            size = len(item.read())
            archive().close()
        except (ValueError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
            yield item
            return
        self.unpacked += size
        if self.unpacked > MOST_UNPACKED:
            raise K2CError(f"The zips within hold more than {MOST_UNPACKED / 1e9:.0f} GB: too many to grade.")
        yield from self._entries(archive, item.path, depth + 1)

    def _entries(
        self, archive: Callable[[], zipfile.ZipFile], at: PurePosixPath, depth: int
    ) -> Iterator[Item]:
        with archive() as opened:
            entries = opened.infolist()
        for entry in entries:
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if entry.is_dir():
                continue
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or not name.name:
                self.left_out["a path that leads out of its zip"] += 1
            elif stat.S_ISLNK(entry.external_attr >> 16):
                self.left_out["links"] += 1
            else:
                yield from self._found(Item(at / name, _time(entry), partial(_read, archive, entry)), depth)


def _opened(item: Item) -> zipfile.ZipFile:
    """Open a zip that lies in another one; it is read again for each file, so that no class is kept in memory."""
    return zipfile.ZipFile(io.BytesIO(item.read()))


def _read(archive: Callable[[], zipfile.ZipFile], entry: zipfile.ZipInfo) -> bytes:
    with archive() as opened, opened.open(entry) as file:
        return _within(file.read(MAXIMUM_BYTES + 1))


def _time(entry: zipfile.ZipInfo) -> float:
    try:
        return datetime(*entry.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def is_hidden(path: PurePosixPath) -> bool:
    """Tell whether a path leads through what a system or an editor keeps for itself."""
    return any(part.startswith((".", "__MACOSX", "~$")) or part == "__pycache__" for part in path.parts)

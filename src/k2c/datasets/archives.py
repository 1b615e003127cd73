"""Unpack what was downloaded: the files that the registry names, where it says, and no byte more."""

import gzip
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from k2c.datasets.errors import SourceFaulty

CHUNK = 1 << 20


def gunzip(archive: Path, target: Path, size: int) -> None:
    """Decompress a gzip file of `size` bytes (when decompressed) into `target`.

    Raises
    ------
    SourceFaulty
        When it is no gzip file, is cut short, or holds more than `size` bytes.
    """
    try:
        with gzip.open(archive) as stream:
            _copy(stream.read, target, size)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SourceFaulty("the gzip file is damaged") from error


def unzip_member(archive: Path, member: str, target: Path, size: int) -> None:
    """Write one member of a zip archive, `size` bytes long, into `target`.

    The path that the archive gives to the member decides nothing: the content goes to `target`.

    Raises
    ------
    SourceFaulty
        When it is no zip file, has no such member, is damaged, or the member holds more than `size` bytes.
    """
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as stream:
            _copy(stream.read, target, size)
    except KeyError as error:
        raise SourceFaulty(f"the archive has no file '{member}'") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceFaulty("the archive is damaged") from error


def _copy(read: Callable[[int], bytes], target: Path, size: int) -> None:
    left = size
    with target.open("wb") as file:
        while chunk := read(CHUNK):
            left -= len(chunk)
            if left < 0:  # a bomb, or another file: either way not the one that the registry describes
                raise SourceFaulty(f"the archive holds more than the expected {size:,} bytes")
            file.write(chunk)

"""Download files over HTTP, checked, retried and resumed where the server can, and unpack them."""

import gzip
import hashlib
import socket
import time
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm.auto import tqdm

CONNECT_TIMEOUT = 6.0  # seconds until a server must have answered
READ_TIMEOUT = 20.0  # seconds that may pass without a byte
RETRY_WAITS = (1.0, 3.0)  # seconds before the second and the third try
CHUNK = 1 << 16

_TRANSIENT = {408, 425, 429}  # with every 5xx: the server asks to come back later


class SourceFailed(Exception):
    """The source cannot give the data, and asking it again would not help: go on to the next one."""


class SourceFaulty(SourceFailed):
    """The source was slow or broken this time: worth another try."""


def hash_of(path: Path, like: str) -> str:
    """Return the hash of a file, by the algorithm of a known one (`md5:...` or `sha256:...`), written as that is."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        # The hash finds damage and mix-ups; where security matters (wheels) the registry has sha256.
        digest = hashlib.file_digest(file, partial(hashlib.new, algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


def download(url: str, known_hash: str | None, folder: Path) -> Path:
    """Download a file into `folder`, try again when the server is slow or faulty, and return its path.

    What arrived of a broken-off download stays in `folder` as `*.part`, and the next try continues it, in a
    later process too. A file whose hash is wrong is thrown away and starts from its first byte.

    Parameters
    ----------
    url
        Address of the file.
    known_hash
        `md5:...` or `sha256:...`; None where only what is inside the file is checked (later).
    folder
        An existing folder that no other process writes to at the same time.

    Raises
    ------
    SourceFailed
        When the server cannot be reached, does not have the file, or stays faulty.
    OSError
        When the file cannot be written.
    """
    for tries, wait in enumerate((*RETRY_WAITS, None), start=1):
        try:
            return _download_once(url, known_hash, folder)
        except SourceFaulty as fault:
            if wait is None:
                raise SourceFailed(f"{fault} (tried {tries} times)") from fault
            time.sleep(wait)
    raise AssertionError("unreachable")


def _download_once(url: str, known_hash: str | None, folder: Path) -> Path:
    # Named by content where that is known, so that a mirror can continue what another one began.
    key = known_hash or f"sha256:{hashlib.sha256(url.encode()).hexdigest()}"
    file = folder / f"{key.partition(':')[2][:16]}-{urlsplit(url).path.rpartition('/')[2]}"
    part = file.with_name(f"{file.name}.part")
    try:
        _receive(url, part)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _explain(error) from error
    if known_hash and hash_of(part, known_hash) != known_hash:
        _start_over(part, "the file arrived with the wrong content")
    return part.replace(file)


def _receive(url: str, part: Path) -> None:
    """Add to `part` what is missing of it."""
    done = part.stat().st_size if part.exists() else 0
    # identity: a byte range counts bytes of the file, not of a compressed copy
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as answer:
        _check_status(answer, part)
        resumed = answer.status_code == requests.codes.partial_content
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            _start_over(part, "the server sent another part than was asked for")
        start = done if resumed else 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = start + length if length else None
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(
                desc=part.stem.partition("-")[2],
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                leave=False,
            ) as bar,
        ):
            # Some servers label a stored .gz as an encoding; the bytes wanted are the stored ones.
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size < total:
        raise SourceFaulty(f"the download broke off at {size:,} of {total:,} bytes")


def _check_status(answer: requests.Response, part: Path) -> None:
    status = answer.status_code
    if status == requests.codes.requested_range_not_satisfiable:
        _start_over(part, "the server could not resume")
    if status >= 500 or status in _TRANSIENT:
        raise SourceFaulty(f"the server answered {status} {answer.reason}")
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise SourceFailed(f"the server answered {status} {answer.reason}")


def _start_over(part: Path, why: str) -> NoReturn:
    part.unlink(missing_ok=True)
    raise SourceFaulty(why)


def _explain(error: Exception) -> SourceFailed:
    """Say in a few words what a network error means, and whether to try again."""
    reason = getattr(error.args[0] if error.args else None, "reason", None) or error
    cause = reason.__cause__ or reason.__context__
    # First, because in urllib3 1 it is a kind of timeout.
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        if isinstance(cause, socket.gaierror):
            return SourceFailed("the host name cannot be resolved")
        if isinstance(cause, ConnectionRefusedError):
            return SourceFailed("the host refuses the connection")
        return SourceFailed("the host cannot be reached")
    if isinstance(error, requests.exceptions.ProxyError):
        return SourceFailed("the proxy does not let the connection through")
    if isinstance(error, requests.exceptions.SSLError):
        return SourceFailed("the host's certificate cannot be checked")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return SourceFaulty("the server does not answer in time")
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return SourceFaulty("the connection broke off")
    return SourceFailed(f"the address does not work ({type(error).__name__})")


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

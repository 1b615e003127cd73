"""Download one file over HTTP: checked, retried, resumed where the server can."""

import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests
import urllib3
from tqdm.auto import tqdm

from k2c.datasets.errors import SourceFailed, SourceFaulty

CONNECT_TIMEOUT = 6.0  # seconds until a server must have answered
READ_TIMEOUT = 20.0  # seconds that may pass without a byte
RETRY_WAITS = (1.0, 3.0)  # seconds before the second and the third try
CHUNK = 1 << 16

_TRANSIENT = {408, 425, 429}  # with every 5xx: the server asks to come back later

# The progress bar says the same, better.
pooch.get_logger().setLevel("WARNING")


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
    name = pooch.utils.unique_file_name(url)
    if known_hash:  # named by content, so that a mirror can continue what another one began
        name = f"{known_hash.partition(':')[2][:16]}-{urlsplit(url).path.rpartition('/')[2]}"
    downloader = ResumingDownloader(folder / f"{name}.part")
    try:
        return Path(pooch.retrieve(url, known_hash, fname=name, path=folder, downloader=downloader))
    except ValueError as error:  # how pooch reports a hash that differs
        raise SourceFaulty("the file arrived with the wrong content") from error


class ResumingDownloader:
    """A downloader for `pooch.retrieve` that keeps what arrived in `part` and continues from there."""

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download `url`, continuing `self.part`, and move the whole of it to `output_file`."""
        try:
            self._receive(url)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _explain(error) from error
        self.part.replace(output_file)

    def _receive(self, url: str) -> None:
        done = self.part.stat().st_size if self.part.exists() else 0
        # identity: a byte range counts bytes of the file, not of a compressed copy
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with requests.get(
            url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
        ) as answer:
            self._check_status(answer)
            resumed = answer.status_code == requests.codes.partial_content
            if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                self._start_over("the server sent another part than was asked for")
            start = done if resumed else 0
            length = int(answer.headers.get("Content-Length") or 0)
            self._save(answer, start, start + length if length else None)

    def _save(self, answer: requests.Response, start: int, total: int | None) -> None:
        name = self.part.name.removesuffix(".part").partition("-")[2]
        with (
            self.part.open("ab" if start else "wb") as file,
            tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True, leave=False) as bar,
        ):
            # Some servers label a stored .gz as an encoding; the bytes wanted are the stored ones.
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
        size = self.part.stat().st_size
        if total is not None and size < total:
            raise SourceFaulty(f"the download broke off at {size:,} of {total:,} bytes")

    def _check_status(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status == requests.codes.requested_range_not_satisfiable:
            self._start_over("the server could not resume")
        if status >= 500 or status in _TRANSIENT:
            raise SourceFaulty(f"the server answered {status} {answer.reason}")
        if status not in (requests.codes.ok, requests.codes.partial_content):
            raise SourceFailed(f"the server answered {status} {answer.reason}")

    def _start_over(self, why: str) -> None:
        self.part.unlink(missing_ok=True)
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

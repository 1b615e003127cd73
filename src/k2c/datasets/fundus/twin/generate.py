"""Make the synthetic twin of a data set of fundus photographs, and keep its pictures."""

import hashlib
import multiprocessing
import threading
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from k2c.atomic import atomic_path
from k2c.datasets.fundus.positives import CLASSES
from k2c.datasets.fundus.twin.eye import SIZES, Eye, draw_eye
from k2c.datasets.fundus.twin.population import Population, table_of
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.pictures import Picture
from k2c.datasets.sources import PictureSource
from k2c.errors import K2CError, unknown
from k2c.paths import cache_dir

VERSION = 4  # of the generator: pictures that were kept by another version are made anew
CHUNK = 32  # eyes in a file
LABELS = ("eye", "patient")
PREVALENCE = 3 / 203


def fundus_twin(
    n: int = 203,
    *,
    prevalence: float = PREVALENCE,
    size: int = 224,
    seed: int = 0,
    blur: float = 0.0,
    exposure: float = 0.0,
    dust: float = 0.0,
    lookalikes: float = 0.0,
    labels: str = "eye",
    cache: bool = True,
    workers: int | None = None,
) -> LabelledImages:
    """Make a data set of synthetic fundus photographs whose truth is known. Nothing is downloaded.

    Patients have two eyes, one after the other. An eye is ill when its grade is 2 or more (referable
    retinopathy): 77% of the ill eyes have grade 2, 13% grade 3 and 10% grade 4, as in EyePACS; 8% of the
    others have grade 1. Half of the ill patients have one ill eye only. Eye number i of a seed is the same
    whatever `n`, and the same but for blur (exposure, ...) whatever `blur` (`exposure`, ...).

    Parameters
    ----------
    n
        Eyes.
    prevalence
        Share of ill eyes. By default 3 in 203.
    size
        Pixels of the pictures' side, 32 to 1024.
    seed
        The same seed gives the same bytes on the same machine.
    blur, exposure, dust
        Share of the photographs that are out of focus (1.6 to 4 pixels of 224), far too dark or too bright,
        or show specks on the lens.
    lookalikes
        Share of the healthy eyes with spots like cotton wool, or with puffed veins.
    labels
        What the column `label` says: `"eye"`, the truth; `"patient"`, whether either eye of the patient is ill.
    cache
        Keep the pictures in the cache folder (about 5 MB for 32 of 224 pixels).
    workers
        Processes that draw all pictures at once. By default each is drawn in this process when it is first
        asked for. In a script, more than one need `if __name__ == "__main__":`.

    Returns
    -------
    LabelledImages
        Classes `healthy` and `retinopathy`. Columns besides those of every fundus data set: `true_label`,
        `blur`, `exposure`, `dust`, `lookalike`. `quality` is 1 for a faultless picture. `masks(i)` tells where
        the lesions are.

    Raises
    ------
    K2CError
        When a value is out of range.
    """
    if n < 1:
        raise K2CError(f"n={n} eyes are none: ask for 1 or more.")
    if labels not in LABELS:
        raise K2CError(unknown("kind of labels", labels, LABELS))
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    eyes = Population(prevalence, seed, blur, exposure, dust, lookalikes).eyes(n)
    source = TwinSource(eyes, size, cache)
    if workers is not None and workers > 1:
        source.draw_all(workers)
    return LabelledImages(table_of(eyes, labels), source, CLASSES, "synthetic fundus photographs")


def lesion_masks(data: LabelledImages, index: int) -> dict[str, NDArray[np.bool_]]:
    """Return where the lesions of a picture are: bool (S, S) for each kind, nothing True where there is none."""
    return data.masks(index)


class TwinSource(PictureSource):
    """Photographs of synthetic eyes, drawn when they are asked for.

    Parameters
    ----------
    eyes
        What to draw.
    size
        Pixels of the side.
    cache
        Keep them on disk.
    """

    name = "synthetic fundus photographs"

    def __init__(self, eyes: list[Eye], size: int, cache: bool = True) -> None:
        self.eyes, self.size, self.cache = eyes, size, cache
        self._chunks: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.eyes)

    def image(self, index: int, at_least: int | None = None) -> Picture:
        """Return a photograph, uint8 (S, S, 3). The others of its chunk are drawn with it."""
        number = index // CHUNK
        with self._lock:  # drawing holds Python's own lock most of the time: threads would not help
            if number not in self._chunks:
                self._chunks[number] = _stored(self._eyes_of(number), self.size, self.cache)
        return np.asarray(self._chunks[number][index % CHUNK])

    def identity(self, index: int) -> str:
        """Return all that decides the picture."""
        return _identity(self.eyes[index], self.size)

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Return where the lesions are: bool (S, S) for each kind."""
        return draw_eye(self.eyes[index], self.size).masks

    def draw_all(self, workers: int) -> None:
        """Draw all photographs with several processes."""
        numbers = range(-(-len(self.eyes) // CHUNK))
        draw = partial(_stored, size=self.size, cache=self.cache)
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(numbers)), mp_context=spawning) as pool:
            self._chunks = dict(zip(numbers, pool.map(draw, map(self._eyes_of, numbers)), strict=True))

    def _eyes_of(self, number: int) -> list[Eye]:
        return self.eyes[number * CHUNK : (number + 1) * CHUNK]


def _identity(eye: Eye, size: int) -> str:
    return f"fundus twin {VERSION} {size} {eye!r}"


def _stored(eyes: list[Eye], size: int, cache: bool) -> NDArray[np.uint8]:
    """Return photographs, uint8 (N, S, S, 3): those that were kept, or newly drawn."""
    if not cache:
        return _drawn(eyes, size)
    path = _path(_identity(eye, size) for eye in eyes)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another process may be drawing the same
            if not path.exists():
                with atomic_path(path) as part, part.open("wb") as file:
                    np.save(file, _drawn(eyes, size))
    return np.load(path, mmap_mode="r")


def _path(identities: Iterable[str]) -> Path:
    key = hashlib.sha256("\n".join(identities).encode()).hexdigest()[:32]
    return cache_dir() / "fundus_twin" / f"{key}.npy"


def _drawn(eyes: list[Eye], size: int) -> NDArray[np.uint8]:
    pictures = np.empty((len(eyes), size, size, 3), np.uint8)
    for picture, eye in zip(pictures, eyes, strict=True):
        picture[:] = draw_eye(eye, size).image
    return pictures

"""Make the synthetic twin of a data set of chest films, and keep its films."""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from k2c.atomic import atomic_path
from k2c.datasets.chest.findings import FINDINGS
from k2c.datasets.chest.twin.film import SIZES, Film, draw_film
from k2c.datasets.chest.twin.population import Population, table_of
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.pictures import Picture
from k2c.datasets.sources import PictureSource
from k2c.errors import K2CError
from k2c.paths import cache_dir

VERSION = 2  # of the generator: films that were kept by another version are made anew
CHUNK = 64  # films in a file


def chest_twin(
    n: int = 1000,
    *,
    size: int = 128,
    seed: int = 0,
    enriched: float = 0.0,
    label_noise: float = 0.0,
    cache: bool = True,
    workers: int | None = None,
) -> LabelledImages:
    """Make a data set of synthetic chest films whose truth is known. Nothing is downloaded.

    Findings occur together as they do in the 112,120 films of ChestX-ray14 (54% have none), views and the number of
    films of a patient too (at most 12). Film number i of a seed is the same whatever `n`.

    Parameters
    ----------
    n
        Films. The last patient's may be cut off.
    size
        Pixels of the films' side, 32 to 512.
    seed
        The same seed gives the same bytes on the same machine.
    enriched
        Share of the films drawn among those with a finding, each of the 14 equally often, as in a test set that
        shall have some of each. 0 is as in the hospital.
    label_noise
        Share of the findings that the labels miss, as those of a program that reads reports do; about as many are
        added wrongly. Columns `true_...` hold the truth. Films and fingerprint do not depend on it.
    cache
        Keep the films in the cache folder (1 MB for 64 of 128 pixels).
    workers
        Processes that draw all films at once. By default each is drawn in this process when it is first asked
        for. In a script, more than one need `if __name__ == "__main__":`.

    Returns
    -------
    LabelledImages
        Grey films, a column for each of `FINDINGS`. Others: `view` (PA, AP), `age`, `sex`, `follow_up` (number of
        the patient's film), `true_...`. `masks(i)` tells where the findings are.

    Raises
    ------
    K2CError
        When a value is out of range.

    References
    ----------
    Wang et al.: ChestX-ray8 (2017), for the counts.
    """
    if n < 1:
        raise K2CError(f"n={n} films are none: ask for 1 or more.")
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    population = Population(seed, enriched, label_noise)
    films, patients = population.films(n)
    source = TwinSource(films, size, cache)
    if workers is not None and workers > 1:
        source.draw_all(workers)
    return LabelledImages(table_of(films, patients, population), source, FINDINGS, TwinSource.name)


class TwinSource(PictureSource):
    """Synthetic films, drawn when they are asked for.

    Parameters
    ----------
    films
        What to draw.
    size
        Pixels of the side.
    cache
        Keep them on disk.
    """

    name = "synthetic chest films"

    def __init__(self, films: list[Film], size: int, cache: bool = True) -> None:
        self.films, self.size, self.cache = films, size, cache
        self._chunks: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.films)

    def image(self, index: int, at_least: int | None = None) -> Picture:
        """Return a film, uint8 (S, S). The others of its chunk are drawn with it."""
        number = index // CHUNK
        with self._lock:  # drawing holds Python's own lock most of the time: threads would not help
            if number not in self._chunks:
                self._chunks[number] = _stored(self._films_of(number), self.size, self.cache)
        return np.asarray(self._chunks[number][index % CHUNK])

    def identity(self, index: int) -> str:
        """Return all that decides the film."""
        return _identity(self.films[index], self.size)

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Return where the findings are: bool (S, S) for each that the film has."""
        return draw_film(self.films[index], self.size).masks

    def draw_all(self, workers: int) -> None:
        """Draw all films with several processes."""
        numbers = range(-(-len(self.films) // CHUNK))
        draw = partial(_stored, size=self.size, cache=self.cache)
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, os.cpu_count() or 1), mp_context=spawning) as pool:
            self._chunks = dict(zip(numbers, pool.map(draw, map(self._films_of, numbers)), strict=True))

    def _films_of(self, number: int) -> list[Film]:
        return self.films[number * CHUNK : (number + 1) * CHUNK]

    def __getstate__(self) -> dict[str, object]:
        """Travel to another process without the films that were drawn, and without the lock."""
        return {"films": self.films, "size": self.size, "cache": self.cache}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _identity(film: Film, size: int) -> str:
    return f"chest twin {VERSION} {size} {film!r}"


def _stored(films: list[Film], size: int, cache: bool) -> NDArray[np.uint8]:
    """Return films, uint8 (N, S, S): those that were kept, or newly drawn."""
    if not cache:
        return _drawn(films, size)
    path = _path(_identity(film, size) for film in films)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another process may be drawing the same
            if not path.exists():
                with atomic_path(path) as part, part.open("wb") as file:
                    np.save(file, _drawn(films, size))
    return np.load(path, mmap_mode="r")


def _path(identities: Iterable[str]) -> Path:
    key = hashlib.sha256("\n".join(identities).encode()).hexdigest()[:32]
    return cache_dir() / "chest_twin" / f"{key}.npy"


def _drawn(films: list[Film], size: int) -> NDArray[np.uint8]:
    pictures = np.empty((len(films), size, size), np.uint8)
    for picture, film in zip(pictures, films, strict=True):
        picture[:] = draw_film(film, size, masks=False).image
    return pictures

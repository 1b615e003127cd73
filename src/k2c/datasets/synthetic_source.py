"""Where the images of the synthetic images come from: drawn when they are asked for, and kept."""

import hashlib
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from k2c._system.array_cache import kept_array
from k2c._system.paths import cache_dir
from k2c.datasets.images import ImageArray
from k2c.datasets.sources import ImageSource

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Generator(Generic[Thing]):
    """How synthetic images are drawn.

    Attributes
    ----------
    name
        Names the folder in the cache.
    version
        Another number makes images that were kept strangers.
    chunk
        Images in a file.
    image, masks
        Functions of a thing and a size in pixels; `image` gives uint8 (S, S, 3) or (S, S), `masks` bool (S, S)
        by name. They travel to other processes, so they are functions of a module. The `repr` of a thing must
        say all that decides its image.
    """

    name: str
    version: int
    chunk: int
    image: Callable[[Thing, int], ImageArray]
    masks: Callable[[Thing, int], dict[str, NDArray[np.bool_]]]

    def identity(self, thing: Thing, size: int) -> str:
        """Return all that decides an image."""
        return f"{self.name} {self.version} {size} {thing!r}"

    def stored(self, things: Sequence[Thing], size: int, cache: bool) -> NDArray[np.uint8]:
        """Return the images of a chunk: those that were kept, or newly drawn."""
        if not cache:
            return self._drawn(things, size)

        def fits(images: NDArray[Any]) -> bool:
            return len(images) == len(things) and images.dtype == np.uint8

        return kept_array(self._path(things, size), lambda: self._drawn(things, size), fits, "images")

    def _drawn(self, things: Sequence[Thing], size: int) -> NDArray[np.uint8]:
        return np.stack([self.image(thing, size) for thing in things])

    def _path(self, things: Sequence[Thing], size: int) -> Path:
        text = "\n".join(self.identity(thing, size) for thing in things)
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        return cache_dir() / self.name.replace(" ", "_") / f"{key}.npy"


class SyntheticSource(ImageSource, Generic[Thing]):
    """Images of a generator, a chunk of them drawn when one is asked for.

    Parameters
    ----------
    generator
        Draws them.
    things
        What to draw, one an image.
    size
        Pixels of the side.
    cache
        Keep them on disk.
    name
        What the images are, for messages.
    """

    def __init__(
        self, generator: Generator[Thing], things: Sequence[Thing], size: int, cache: bool, name: str
    ) -> None:
        self.generator, self.things, self.size, self.cache = generator, things, size, cache
        self.name = name
        self._chunks: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.things)

    def image(self, index: int, at_least: int | None = None) -> ImageArray:
        """Return an image, uint8 (S, S, 3) or (S, S). The others of its chunk are drawn with it."""
        number, place = divmod(index, self.generator.chunk)
        with self._lock:  # drawing holds Python's own lock most of the time: threads would not help
            if number not in self._chunks:
                self._chunks[number] = self.generator.stored(self._things_of(number), self.size, self.cache)
        return np.asarray(self._chunks[number][place])

    def identity(self, index: int) -> str:
        """Return all that decides the image."""
        return self.generator.identity(self.things[index], self.size)

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Return what is where: bool (S, S) by name."""
        return self.generator.masks(self.things[index], self.size)

    def draw_all(self, workers: int) -> None:
        """Draw all images with several processes."""
        numbers = range(-(-len(self) // self.generator.chunk))
        chunks = [self._things_of(number) for number in numbers]
        sizes, caches = [self.size] * len(chunks), [self.cache] * len(chunks)
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=spawning) as pool:
            drawn = pool.map(self.generator.stored, chunks, sizes, caches)
            self._chunks = dict(zip(numbers, drawn, strict=True))

    def _things_of(self, number: int) -> Sequence[Thing]:
        chunk = self.generator.chunk
        return self.things[number * chunk : (number + 1) * chunk]

    def __getstate__(self) -> dict[str, object]:
        """Travel to another process without the images that were drawn, and without the lock."""
        return self.__dict__ | {"_chunks": {}, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__ |= state | {"_lock": threading.Lock()}

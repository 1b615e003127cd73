"""Where the images of a data set come from: files or arrays, read when they are asked for."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from k2c.datasets.images import ImageArray, read_image, size_of_image
from k2c.datasets.pixel_depth import common_scale
from k2c.errors import K2CError


class ImageSource(ABC):
    """N images, each made or read when it is asked for.

    A source is asked from several threads at once.
    """

    name: str = "images"
    """What the images are, for messages."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int, at_least: int | None = None) -> ImageArray:
        """Return an image: uint8 (H, W, 3) or (H, W).

        When `at_least` is given, a smaller version will do whose shorter side has that many pixels.
        """

    @abstractmethod
    def identity(self, index: int) -> str:
        """Return a text that differs when the pixels that `image` returns differ."""

    def file_size(self, index: int) -> tuple[int, int] | None:
        """Return height and width of the image as it was taken; None where `image` has that size."""
        return None

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Return what is known to be where in an image: bool (H, W) by name."""
        raise K2CError(f"The {self.name} come without masks. The synthetic images know what is where.")


class FileSource(ImageSource):
    """Image files.

    Parameters
    ----------
    files
        One an image.
    prepare
        What is done with each image after it was read, such as cropping; a function of an image.
    variant
        Names what `prepare` does, for `identity`.
    margin
        How much longer than the prepared image's shorter side the file's may be; for `at_least`.
    grey
        Read one channel.

    Attributes
    ----------
    full_scale
        What shows white where pixels have 16 bits, the same for all files (`common_scale`).
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        name: str = "images",
        prepare: Callable[[ImageArray], ImageArray] | None = None,
        variant: str = "",
        margin: float = 1.0,
        grey: bool = False,
    ) -> None:
        self.files, self.name, self.prepare = list(files), name, prepare
        self.variant, self.margin, self.grey = variant, margin, grey
        self.full_scale = common_scale(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def image(self, index: int, at_least: int | None = None) -> ImageArray:
        """Read a file, and prepare it."""
        wanted = round(at_least * self.margin) if at_least else None
        image = read_image(self.files[index], at_least=wanted, grey=self.grey, full_scale=self.full_scale)
        return self.prepare(image) if self.prepare else image

    def file_size(self, index: int) -> tuple[int, int]:
        """Read height and width from the file's header."""
        return size_of_image(self.files[index])

    def identity(self, index: int) -> str:
        """Return the hash of the file's bytes, and how it is read."""
        scale = "" if self.full_scale is None else f" white is {self.full_scale}"
        return f"{file_hash(self.files[index])} {self.variant} {self.grey}{scale}"


class ArraySource(ImageSource):
    """Images in memory, or in a file that is mapped into it.

    Parameters
    ----------
    images
        uint8 (N, H, W, 3) or (N, H, W), or a sequence of N images of any sizes.
    """

    def __init__(self, images: NDArray[np.uint8] | Sequence[ImageArray], name: str = "images") -> None:
        self.images, self.name = images, name
        first = images[0] if len(images) else np.zeros((0, 0), np.uint8)
        if first.dtype != np.uint8 or first.ndim not in (2, 3):
            raise K2CError(
                f"The {name} are {first.dtype} with {first.ndim} axes each, but must be uint8 (H, W, 3) or (H, W)."
            )

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int, at_least: int | None = None) -> ImageArray:
        """Return an image as it is."""
        return np.asarray(self.images[index])

    def identity(self, index: int) -> str:
        """Return the hash of the pixels."""
        image = np.ascontiguousarray(self.images[index])
        return f"{hashlib.sha256(image.data).hexdigest()} {image.shape}"


@lru_cache(maxsize=1 << 17)
def _hash_of(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 of a file (computed again when its size or time of change differ), or `missing`."""
    try:
        state = path.stat()
        return _hash_of(path, state.st_size, state.st_mtime_ns)
    except OSError:
        return "missing"

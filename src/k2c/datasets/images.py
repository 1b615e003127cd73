"""Read images as people have them: turned, in any colour model, cut short, or no images at all."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from k2c._system.machine import usable_cores
from k2c.datasets.dicom import DicomError, dicom_facts, is_dicom, read_dicom
from k2c.datasets.image_formats import FORMATS, fault, is_raw
from k2c.datasets.image_formats import SUFFIXES as SUFFIXES
from k2c.datasets.pixel_depth import WIDE, Range, declared_range, narrowed
from k2c.errors import K2CError

ImageArray = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")

MIN_SIDE = 8  # pixels; what is smaller shows nothing

ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places


class ImageError(K2CError):
    """A file that is not a usable image: which one, and why.

    Attributes
    ----------
    reason
        Why, without the name and the details: `"cut short or damaged"`.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def _refused(path: Path, why: str) -> ImageError:
    return ImageError(f"{path} {why}.", re.sub(r"^is (an? )?|,? \([^()]*(\([^()]*\))?[^()]*\)$", "", why))


def read_image(
    path: str | os.PathLike[str],
    *,
    at_least: int | None = None,
    grey: bool = False,
    full_scale: float | None = None,
) -> ImageArray:
    """Read an image file as a viewer would show it.

    The EXIF orientation is applied; palettes, CMYK and other colour models become RGB; 16-bit values are
    scaled to 8 bits by what the file declares or its values need (`pixel_depth`); what is transparent shows
    white. DICOM files are read as `read_dicom` does.

    Parameters
    ----------
    path
        An image of any format that Pillow knows, or DICOM. Of an animation, the first frame is read.
    at_least
        Pixels of the shorter side that are enough: a larger JPEG is then decoded at 1/2, 1/4 or 1/8 of its
        size, several times faster.
    grey
        Return one channel instead of three.
    full_scale
        The value that shows white where a pixel has 16 bits, unless the image itself needs a larger one: the
        same for all images of a data set (`common_scale`).

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3), or (H, W) when `grey`.

    Raises
    ------
    ImageError
        When the file is missing, empty, not an image, cut short or damaged, or smaller than 8 pixels.
    """
    path = Path(path)
    if not path.is_file():  # a pipe would wait for ever
        kind = "a file" if path.is_dir() else "an ordinary file"
        raise _refused(path, f"is not {kind}" if path.exists() else "is missing")
    try:
        if is_raw(path):
            raise _refused(path, fault(path))
        mode = "L" if grey else "RGB"
        if is_dicom(path):
            pixels = np.asarray(Image.fromarray(read_dicom(path)).convert(mode))
        else:
            with Image.open(path, formats=FORMATS) as opened:
                if at_least:
                    opened.draft(None, (at_least, at_least))  # does nothing for other formats than JPEG
                opened.load()
                declared = declared_range(opened) if opened.mode in WIDE else None
                pixels = np.asarray(_eight_bits(_upright(opened), mode, declared, full_scale))
    except ImageError:
        raise
    except DicomError as error:
        raise _refused(path, str(error)) from error
    except (Image.DecompressionBombError, OSError) as error:
        raise _refused(path, fault(path, error)) from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever their parsing runs into
        raise _refused(path, f"is damaged ({error})") from error
    if min(pixels.shape[:2]) < MIN_SIDE:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise _refused(path, f"is too small ({size} pixels; at least {MIN_SIDE}x{MIN_SIDE} are needed)")
    return pixels


def size_of_image(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return height and width of an image file, upright, without decoding it; `ImageError` if it is none."""
    try:
        if is_dicom(Path(path)):
            facts = dicom_facts(Path(path))
            return facts.height, facts.width
        with Image.open(path, formats=FORMATS) as opened:
            width, height = opened.size
            turned = opened.getexif().get(ORIENTATION, 1) >= 5
    except DicomError as error:
        raise _refused(Path(path), str(error)) from error
    except Exception as error:  # as in read_image
        raise _refused(Path(path), fault(Path(path), error)) from error
    return (width, height) if turned else (height, width)


def read_images(
    paths: Iterable[str | os.PathLike[str]],
    size: int | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[tuple[Path, ImageArray | ImageError]]:
    """Read many images, several at a time; yield each path with its image or with what is wrong with it.

    Parameters
    ----------
    paths
        Files, yielded in this order.
    size
        Resize to `size` x `size` pixels; None keeps each image's own size.
    workers
        Threads that decode (one per processor by default).
    progress
        Show a progress bar.

    Yields
    ------
    tuple
        `(path, image)` with uint8 (H, W, 3), or `(path, ImageError)`.
    """

    def read(path: Path) -> tuple[Path, ImageArray | ImageError]:
        try:
            image = read_image(path, at_least=size)
        except ImageError as error:
            return path, error
        return path, resize(image, size) if size else image

    files = [Path(path) for path in paths]
    yield from in_parallel(read, files, workers, "reading images" if progress else None)


def resize(image: ImageArray, size: int) -> ImageArray:
    """Resize to a square without aliasing (bicubic over the area that a new pixel covers).

    Parameters
    ----------
    image
        uint8 (H, W, 3) or (H, W).
    size
        Side in pixels. An image that is no square is stretched.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3) or (size, size).
    """
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def in_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    progress: str | None = None,
) -> Iterator[Result]:
    """Yield `function(item)` for each item in order, computed ahead by threads.

    Only a few results wait at any time, so that a data set larger than the memory passes through. Threads
    serve where the work releases Python's lock, as decoding and resizing do.

    Parameters
    ----------
    function
        Called from several threads at once. Its exception is raised here, and the rest is not begun.
    items
        What to call it with.
    workers
        Threads; one per processor by default.
    progress
        The words before a progress bar; None for no bar.
    """
    workers = workers or usable_cores()
    bar = tqdm(total=len(items), desc=progress, unit="image", leave=False, disable=progress is None)
    waiting: deque[Future[Result]] = deque()
    with bar, ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
                    bar.update()
            while waiting:
                yield waiting.popleft().result()
                bar.update()
        finally:
            for future in waiting:
                future.cancel()


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # a damaged EXIF block is no reason to refuse the pixels
        return ImageOps.exif_transpose(image)
    return image


def _eight_bits(
    image: Image.Image, mode: str, declared: Range | None, full_scale: float | None
) -> Image.Image:
    if image.mode in WIDE:
        return narrowed(image, declared, full_scale).convert(mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert(mode)
    return image.convert(mode)

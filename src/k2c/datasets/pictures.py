"""Read pictures as people have them: turned, in any colour model, cut short, or no pictures at all."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps
from scipy import ndimage
from tqdm.auto import tqdm

from k2c._system.machine import usable_cores
from k2c.datasets.image_formats import FORMATS, fault, is_raw
from k2c.datasets.image_formats import SUFFIXES as SUFFIXES
from k2c.errors import K2CError

Picture = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")

MIN_SIDE = 8  # pixels; what is smaller shows nothing

ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places
_WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # more than 8 bits a pixel


class PictureError(K2CError):
    """A file that is not a usable picture: which one, and why.

    Attributes
    ----------
    reason
        Why, without the name and the details: `"cut short or damaged"`.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def _refused(path: Path, why: str) -> PictureError:
    return PictureError(f"{path} {why}.", re.sub(r"^is (an? )?|,? \([^()]*(\([^()]*\))?[^()]*\)$", "", why))


def read_picture(path: str | os.PathLike[str], *, at_least: int | None = None, grey: bool = False) -> Picture:
    """Read a picture file as a viewer would show it.

    The EXIF orientation is applied; palettes, CMYK and other colour models become RGB; 16-bit values are
    scaled to 8 bits; what is transparent shows white.

    Parameters
    ----------
    path
        A picture of any format that Pillow knows. Of an animation, the first frame is read.
    at_least
        Pixels of the shorter side that are enough: a larger JPEG is then decoded at 1/2, 1/4 or 1/8 of its
        size, several times faster.
    grey
        Return one channel instead of three.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3), or (H, W) when `grey`.

    Raises
    ------
    PictureError
        When the file is missing, empty, not a picture, cut short or damaged, or smaller than 8 pixels.
    """
    path = Path(path)
    if not path.is_file():  # a pipe would wait for ever
        kind = "a file" if path.is_dir() else "an ordinary file"
        raise _refused(path, f"is not {kind}" if path.exists() else "is missing")
    try:
        if is_raw(path):
            raise _refused(path, fault(path))
        with Image.open(path, formats=FORMATS) as opened:
            if at_least:
                opened.draft(None, (at_least, at_least))  # does nothing for other formats than JPEG
            opened.load()
            image = _upright(opened)
            pixels = np.asarray(_eight_bits(image, "L" if grey else "RGB"))
    except PictureError:
        raise
    except (Image.DecompressionBombError, OSError) as error:
        raise _refused(path, fault(path, error)) from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever their parsing runs into
        raise _refused(path, f"is damaged ({error})") from error
    if min(pixels.shape[:2]) < MIN_SIDE:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise _refused(path, f"is too small ({size} pixels; at least {MIN_SIDE}x{MIN_SIDE} are needed)")
    return pixels


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return height and width of a picture file, upright, without decoding it; `PictureError` if it is none."""
    try:
        with Image.open(path, formats=FORMATS) as opened:
            width, height = opened.size
            turned = opened.getexif().get(ORIENTATION, 1) >= 5
    except Exception as error:  # as in read_picture
        raise _refused(Path(path), fault(Path(path), error)) from error
    return (width, height) if turned else (height, width)


def read_pictures(
    paths: Iterable[str | os.PathLike[str]],
    size: int | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[tuple[Path, Picture | PictureError]]:
    """Read many pictures, several at a time; yield each path with its picture or with what is wrong with it.

    Parameters
    ----------
    paths
        Files, yielded in this order.
    size
        Resize to `size` x `size` pixels; None keeps each picture's own size.
    workers
        Threads that decode (one a processor by default).
    progress
        Show a progress bar.

    Yields
    ------
    tuple
        `(path, picture)` with uint8 (H, W, 3), or `(path, PictureError)`.
    """

    def read(path: Path) -> tuple[Path, Picture | PictureError]:
        try:
            picture = read_picture(path, at_least=size)
        except PictureError as error:
            return path, error
        return path, resize(picture, size) if size else picture

    files = [Path(path) for path in paths]
    yield from in_parallel(read, files, workers, "reading pictures" if progress else None)


def resize(picture: Picture, size: int) -> Picture:
    """Resize to a square without aliasing (bicubic over the area that a new pixel covers).

    Parameters
    ----------
    picture
        uint8 (H, W, 3) or (H, W).
    size
        Side in pixels. A picture that is no square is stretched.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3) or (size, size).
    """
    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))


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
        Threads; one a processor by default.
    progress
        The words before a progress bar; None for no bar.
    """
    workers = workers or usable_cores()
    bar = tqdm(total=len(items), desc=progress, unit="picture", leave=False, disable=progress is None)
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


def field_of_view(image: Picture) -> NDArray[np.bool_]:
    """Return where the camera saw the eye: bool (H, W), False in the black (or white) surround.

    The surround is what has the brightness of the corners; of what remains, the largest connected part is
    the eye, so that a date printed in a corner or dust is not. A picture without a surround is all True.
    """
    seen, step = _coarse_field(image)
    if step > 1:
        height, width = image.shape[:2]
        seen = np.repeat(np.repeat(seen, step, axis=0), step, axis=1)[:height, :width]
    return ndimage.binary_fill_holes(seen)


def _coarse_field(image: Picture) -> tuple[NDArray[np.bool_], int]:
    """Find the field of view on a copy of about 200 pixels; return it and how many pixels one stands for."""
    step = max(1, round(max(image.shape[:2]) / 200))
    small = Image.fromarray(np.ascontiguousarray(image)).reduce(step).filter(ImageFilter.BoxBlur(1))
    # The brightest channel: red, in which the whole eye is light, blood and pigment included.
    grey = np.asarray(reduce(ImageChops.lighter, small.split()))
    everything = np.ones(grey.shape, bool)
    patch = max(2, min(grey.shape) // 25)
    corners = np.stack([grey[rows, columns] for rows, columns in _corners(patch)])
    surround = float(np.median(corners))
    if 40 < surround < 230 or np.median(np.abs(corners - surround)) > 8:
        return everything, step
    contrast = np.abs(grey - np.float32(surround))
    # A tenth of the eye's brightness: above the noise of the black, below a badly lit rim.
    parts, count = ndimage.label(contrast > np.clip(0.1 * np.percentile(contrast, 95), 5, 25))
    if not count:
        return everything, step
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return (largest, step) if largest.mean() > 0.05 else (everything, step)


def crop_to_eye(image: Picture, square: bool = True) -> Picture:
    """Cut the surround of a fundus photograph away.

    Parameters
    ----------
    image
        uint8 (H, W, 3) or (H, W).
    square
        Fill up with black on both sides where the field of view is cut off (often above and below), so that
        the eye keeps its shape when it is resized to a square.

    Returns
    -------
    numpy.ndarray
        uint8, the box around the field of view; the image itself when it has no surround.
    """
    height, width = image.shape[:2]
    seen, step = _coarse_field(image)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, bottom = rows[0] * step, min(height, (rows[-1] + 1) * step)
    left, right = columns[0] * step, min(width, (columns[-1] + 1) * step)
    eye = image[top:bottom, left:right]
    return _on_square(eye) if square else eye


def _on_square(image: Picture) -> Picture:
    height, width = image.shape[:2]
    if height == width:
        return image
    side = max(height, width)
    canvas = np.zeros((side, side, *image.shape[2:]), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = image
    return canvas


def _corners(patch: int) -> list[tuple[slice, slice]]:
    ends = (slice(None, patch), slice(-patch, None))
    return [(rows, columns) for rows in ends for columns in ends]


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # a damaged EXIF block is no reason to refuse the pixels
        return ImageOps.exif_transpose(image)
    return image


def _eight_bits(image: Image.Image, mode: str) -> Image.Image:
    if image.mode in _WIDE:
        return _narrowed(image).convert(mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert(mode)
    return image.convert(mode)


def _narrowed(image: Image.Image) -> Image.Image:
    """Scale values of 16 or 32 bits to 8: by the smallest usual full scale that holds them all."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    low, high = min(float(values.min()), 0.0), float(values.max())
    usual = [1.0] if image.mode == "F" else [65535.0] if image.mode.startswith("I;16") else []
    full = next((scale for scale in (*usual, 255.0, 65535.0) if high <= scale), high)
    return Image.fromarray(np.round((values - low) * (255 / (full - low))).astype(np.uint8))

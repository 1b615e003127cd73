"""From 16 and more bits a pixel to 8: by what a file declares, or by what its values need."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from k2c.datasets.image_formats import FORMATS

WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits a pixel
SAMPLE = 16  # images of a data set that are looked at for their common scale
_USUAL = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))  # the depths of detectors and of files
_BITS_PER_SAMPLE, _SMALLEST, _LARGEST = 258, (340, 280), (341, 281)  # tags of TIFF


Range = tuple[float, float]  # the values that show black and white


def narrowed(
    image: Image.Image, declared: Range | None = None, full_scale: float | None = None
) -> Image.Image:
    """Return an image with 16 or 32 bits a pixel with 8.

    Black and white are what the file declares (`declared_range`), as long as no value is outside. Else black is 0
    (or the smallest value, where that is less), and white the smallest of 255, 1023, 4095, 16383 and 65535 that holds
    all values; of fractions, 1.

    Parameters
    ----------
    image
        Loaded, of a mode in `WIDE`.
    declared
        What its file says.
    full_scale
        What shows white in the other images of its data set: used where the image needs no larger one.
    """
    values = _numbers(image)
    low, high = _scale(image.mode, values, declared)
    if full_scale is not None:
        high = max(high, full_scale)
    return Image.fromarray(np.round(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8))


def common_scale(paths: Sequence[Path]) -> float | None:
    """Return the value that shows white in all images of a data set; None where no image has more than 8 bits.

    `SAMPLE` of the files are looked at, evenly spread.
    """
    chosen = [paths[place] for place in np.linspace(0, len(paths) - 1, min(SAMPLE, len(paths))).astype(int)]
    scales = []
    for path in chosen:
        if not path.is_file():  # a pipe would wait for ever
            continue
        with (
            suppress(Exception),
            Image.open(path, formats=FORMATS) as image,
        ):  # what cannot be read is told elsewhere
            if image.mode in WIDE:
                values = _numbers(image)
                scales.append(_scale(image.mode, values, declared_range(image))[1])
    return max(scales, default=None)


def _numbers(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return the values of an image; what is no number, or infinite, is 0."""
    return np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)


def _scale(mode: str, values: np.ndarray[Any, Any], declared: Range | None) -> Range:
    low, high = float(values.min()), float(values.max())
    if declared and declared[0] <= low and high <= declared[1]:
        return declared
    usual = (1.0, *_USUAL) if mode == "F" else _USUAL
    low = min(low, 0.0)
    return low, next((scale for scale in usual if high <= scale), max(high, low + 1))


def declared_range(image: Image.Image) -> Range | None:
    """Return which values a file says are black and white: TIFF by its tags, PNG by its significant bits.

    Parameters
    ----------
    image
        As `Image.open` returns it.
    """
    with suppress(Exception):  # a tag of the wrong kind is none
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            smallest, largest = (_tag(image, tags) for tags in (_SMALLEST, _LARGEST))
            if largest is not None and largest > (smallest or 0):
                return smallest or 0.0, largest
            bits = _tag(image, (_BITS_PER_SAMPLE,)) or 0
            return (0.0, 2**bits - 1) if 8 < bits < 16 else None
        if isinstance(image, PngImagePlugin.PngImageFile):
            return _significant(image.filename)
    return None


def _tag(image: TiffImagePlugin.TiffImageFile, tags: Sequence[int]) -> float | None:
    value = next((image.tag_v2[tag] for tag in tags if tag in image.tag_v2), None)
    return None if value is None else float(np.ravel(value)[0])


def _significant(path: Any) -> Range | None:
    """Return the range of a PNG whose sBIT chunk says how many of its 16 bits were measured."""
    with Path(path).open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"sBIT":
                bits = file.read(1)[0]
                return (0.0, 2.0**bits - 1) if 8 < bits < 16 else None
            if kind == b"IDAT":
                return None
            file.seek(length + 4, 1)
    return None

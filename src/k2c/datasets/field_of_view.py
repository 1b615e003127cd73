"""Where the camera saw the eye, and how the surround of a fundus photograph is cut away."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter
from scipy import ndimage

from k2c.datasets.images import ImageArray


def field_of_view(image: ImageArray) -> NDArray[np.bool_]:
    """Return where the camera saw the eye: bool (H, W), False in the black (or white) surround.

    The surround is what has the brightness of the corners; of what remains, the largest connected part is
    the eye, so that a date printed in a corner or dust is not. An image without a surround is all True.
    """
    seen, step = _coarse_field(image)
    if step > 1:
        height, width = image.shape[:2]
        seen = np.repeat(np.repeat(seen, step, axis=0), step, axis=1)[:height, :width]
    return ndimage.binary_fill_holes(seen)


def _coarse_field(image: ImageArray) -> tuple[NDArray[np.bool_], int]:
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


def crop_to_eye(image: ImageArray, square: bool = True) -> ImageArray:
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


def _on_square(image: ImageArray) -> ImageArray:
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

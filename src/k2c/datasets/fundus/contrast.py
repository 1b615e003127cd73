"""Make fundus photographs of different cameras and exposures comparable."""

import numpy as np
from PIL import Image
from scipy import ndimage

from k2c.datasets.field_of_view import field_of_view
from k2c.datasets.images import ImageArray
from k2c.errors import K2CError, unknown

METHODS = ("local_mean", "clahe")


def normalise_contrast(image: ImageArray, method: str = "local_mean") -> ImageArray:
    """Even out illumination and contrast within the field of view; the surround becomes black.

    Parameters
    ----------
    image
        uint8 (H, W, 3), cropped to the eye.
    method
        `"local_mean"`: each colour minus its mean in the neighbourhood, four times enlarged around mid-grey.
        `"clahe"`: the brightness spread over the whole range tile by tile, its slope limited.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).

    References
    ----------
    B. Graham: Kaggle diabetic retinopathy detection competition report (2015), for the local mean; here the
    mean is taken over the eye alone, so that its rim does not glow. K. Zuiderveld: Contrast limited adaptive
    histogram equalization, Graphics Gems IV (1994).
    """
    if method not in METHODS:
        raise K2CError(unknown("contrast normalisation", method, METHODS))
    seen = field_of_view(image)
    even = _minus_local_mean(image, seen) if method == "local_mean" else _equalised(image)
    return np.where(seen[..., None], even, 0).astype(np.uint8)


def _minus_local_mean(image: ImageArray, seen: np.ndarray) -> np.ndarray:
    sigma = max(image.shape[:2]) / 60  # Graham's: a thirtieth of the eye's radius
    weight = seen.astype(np.float32)
    fraction = np.maximum(ndimage.gaussian_filter(weight, sigma, truncate=3), 1e-3)
    colours = image.astype(np.float32) * weight[..., None]
    mean = ndimage.gaussian_filter(colours, (sigma, sigma, 0), truncate=3) / fraction[..., None]
    return np.clip(4 * (image - mean) + 128, 0, 255)


def _equalised(image: ImageArray) -> np.ndarray:
    from skimage import exposure  # not at the top: it takes half a second to import

    light, blue, red = Image.fromarray(image).convert("YCbCr").split()
    even = exposure.equalize_adapthist(np.asarray(light), kernel_size=max(image.shape) // 8, clip_limit=0.01)
    light = Image.fromarray(np.round(even * 255).astype(np.uint8))
    return np.asarray(Image.merge("YCbCr", (light, blue, red)).convert("RGB"))

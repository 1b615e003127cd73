"""How good a fundus photograph is, measured without a reference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from k2c.datasets.field_of_view import field_of_view
from k2c.datasets.images import ImageArray, resize
from k2c.datasets.labelled import LabelledImages

SIDE = 256  # pixels at which photographs are compared
FINE = 1.0  # pixels; standard deviation of the smoothing, about half the width of a thin vessel at that size
NEIGHBOURHOOD = 33  # pixels; over which brightness is levelled

# Where half of the score is lost, and how steeply; set on photographs with a grader's word on their quality.
HALF_SHARPNESS = 0.019
STEEPNESS = 3.0
WELL_EXPOSED = 150.0  # mean of the red channel
SATURATED = 250


@dataclass(frozen=True)
class Quality:
    """What a photograph is worth to a grader.

    Attributes
    ----------
    sharpness
        Contrast of fine dark lines, vessels above all, relative to the brightness around: 0.05 is sharp,
        0.02 is blurred.
    exposure
        0 (black, or burnt out) to 1 (well exposed).
    score
        Both together: 0 (useless) to 1 (good).
    """

    sharpness: float
    exposure: float
    score: float


def image_quality(image: ImageArray) -> Quality:
    """Measure sharpness and exposure within the field of view.

    Fine vessels are the first to go when a photograph is out of focus, moved, or taken through a cloudy lens.
    Their contrast is measured as the curvature of the green channel across dark lines (the larger eigenvalue
    of the Hessian), of which the strongest twentieth counts.

    Parameters
    ----------
    image
        uint8 (H, W, 3), cropped to the eye. Small ones count as blurred.

    Returns
    -------
    Quality

    References
    ----------
    The eigenvalue as a measure of vessels: Frangi et al.: Multiscale vessel enhancement filtering, MICCAI 1998.
    """
    small = resize(image, SIDE)
    seen = field_of_view(small)
    red, green = (small[..., 0], small[..., 1]) if small.ndim == 3 else (small, small)
    fraction = ndimage.uniform_filter(seen.astype(np.float32), NEIGHBOURHOOD)
    inside = fraction > 0.95  # the rim is an edge, but none of the eye
    if not inside.any():
        return Quality(0.0, 0.0, 0.0)
    lines = _dark_lines((green * seen).astype(np.float32), fraction)
    sharpness = float(np.percentile(lines[inside], 95))
    burnt = float(np.mean(green[inside] >= SATURATED))
    exposure = min(float(red[inside].mean()) / WELL_EXPOSED, 1.0) * (1 - burnt)
    worth = (sharpness * exposure / HALF_SHARPNESS) ** STEEPNESS
    return Quality(sharpness, exposure, worth / (1 + worth))


def quality_scores(
    data: LabelledImages, workers: int | None = None, progress: bool = False
) -> NDArray[np.float64]:
    """Return the score of every image: float64 (N,), 0 (useless) to 1 (good)."""
    scores = data.each(
        lambda image: image_quality(image).score, at_least=SIDE, workers=workers, progress=progress
    )
    return np.fromiter(scores, np.float64, len(data))


def _dark_lines(green: NDArray[np.float32], fraction: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much darker than both its sides a pixel is, at the scale of fine vessels."""
    mean = ndimage.uniform_filter(green, NEIGHBOURHOOD) / np.maximum(fraction, 0.05)
    level = ndimage.gaussian_filter(
        green / (mean + 8), FINE, truncate=3
    )  # 8: do not enlarge the noise of black
    down = np.gradient(level, axis=0)
    right = np.gradient(level, axis=1)
    yy, yx = np.gradient(down)
    xx = np.gradient(right, axis=1)
    return np.maximum((xx + yy) / 2 + np.hypot((xx - yy) / 2, yx), 0)

"""From the strokes of a hand to a picture like those of MNIST."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Stroke = Sequence[Sequence[float]]

SIDE, INNER = 28, 20  # pixels of the picture, and of the box that the digit fills
PEN = 2.4  # pixels: how thick the digits of MNIST are
_FINE = 8  # drawn so many times finer, then averaged: soft edges

# A hand's three, at the start: two bows, drawn from the top.
THREE: tuple[tuple[tuple[float, float], ...], ...] = (
    (
        (0.30, 0.24), (0.40, 0.16), (0.54, 0.14), (0.66, 0.20), (0.69, 0.31), (0.62, 0.42), (0.46, 0.48),
        (0.60, 0.50), (0.71, 0.58), (0.73, 0.71), (0.64, 0.82), (0.49, 0.86), (0.35, 0.83), (0.27, 0.75),
    ),
)  # fmt: skip


def rasterise(strokes: Sequence[Stroke]) -> np.ndarray:
    """Draw strokes as MNIST has its digits: fitted into 20 x 20 pixels, the centre of mass in the middle of 28 x 28.

    Parameters
    ----------
    strokes
        Each a list of points (x, y, and more that is ignored), x to the right and y down, on any scale.

    Returns
    -------
    numpy.ndarray
        uint8 (28, 28): 0 is paper, 255 is ink. Empty paper where there are no points.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998), section III.A.
    """
    lines = [np.asarray(stroke, dtype=float)[:, :2] for stroke in strokes if len(stroke)]
    if not lines:
        return np.zeros((SIDE, SIDE), np.uint8)
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    # A dot has no size, and stays a dot.
    scale = (INNER - PEN) / max(float((high - low).max()), 1e-6) if (high > low).any() else 0.0
    fitted = [(line - (low + high) / 2) * scale + SIDE / 2 for line in lines]
    off_centre = _centre_of_mass(_draw(fitted)) - SIDE / 2
    fine = _draw([line - off_centre for line in fitted])
    return fine.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3)).round().astype(np.uint8)


def _draw(lines: Sequence[np.ndarray]) -> np.ndarray:
    picture = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
    pen, radius = ImageDraw.Draw(picture), PEN * _FINE / 2
    for line in lines:
        corners = [(float(x), float(y)) for x, y in line * _FINE]
        if len(corners) > 1:
            pen.line(corners, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (corners[0], corners[-1]):  # a round pen
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture)


def _centre_of_mass(fine: np.ndarray) -> np.ndarray:
    """Return x and y in pixels of the final picture."""
    ink = fine.astype(float)
    places = (np.arange(len(fine)) + 0.5) / _FINE
    return np.array([ink.sum(axis=0) @ places, ink.sum(axis=1) @ places]) / ink.sum()

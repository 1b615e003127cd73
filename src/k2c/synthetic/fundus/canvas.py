"""Where a point of the retina lies in the picture, and stamping many soft discs into a layer at once."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from k2c.synthetic.texture import Layer

Points: TypeAlias = NDArray[np.floating[Any]]

LARGEST = 0.45  # of the picture's side: a disc's radius


@dataclass(frozen=True)
class View:
    """How a camera sees a retina.

    Attributes
    ----------
    size
        Pixels of the picture's side.
    radius
        Of the field of view, in pixels.
    scale
        Pixels a degree.
    centre
        The point of the retina in the middle of the picture: degrees towards the nose and downwards from the
        fovea.
    rotation
        Of the picture, in radians.
    mirror
        1 for a right eye (its optic disc is on the right), -1 for a left one.
    """

    size: int
    radius: float
    scale: float
    centre: tuple[float, float]
    rotation: float
    mirror: int

    def pixels(self, x: Points, y: Points) -> tuple[Points, Points]:
        """Return columns and rows of points given in degrees from the fovea (nasal, down)."""
        across, down = (x - self.centre[0]) * self.mirror, y - self.centre[1]
        cos, sin = math.cos(self.rotation) * self.scale, math.sin(self.rotation) * self.scale
        middle = (self.size - 1) / 2
        return middle + cos * across - sin * down, middle + sin * across + cos * down

    def offsets(self, x: float, y: float) -> tuple[Layer, Layer]:
        """Return every pixel's distance in degrees from a point: columns (1, S) and rows (S, 1)."""
        column, row = self.pixels(np.asarray(x), np.asarray(y))
        line = np.arange(self.size, dtype=np.float32)
        across = (line - np.float32(column)) / np.float32(self.scale)
        down = (line - np.float32(row)) / np.float32(self.scale)
        return across[None, :], down[:, None]


def stamp(
    layers: Layer,
    column: Points,
    row: Points,
    radius: Points,
    value: Points,
    soft: Points | None = None,
    which: NDArray[Any] | None = None,
) -> None:
    """Draw discs into layers; where several meet, the strongest counts.

    A disc that is smaller than a pixel is fainter instead, so that thin lines neither vanish nor flicker.

    Parameters
    ----------
    layers
        float32 (K, S, S) or (S, S), changed in place.
    column, row, radius
        In pixels, (N,) each. What lies outside the picture is left out.
    value
        In the middle of the disc.
    soft
        Width of the edge in pixels, (N,); sharp (1) when None.
    which
        Number of the layer, (N,); the first when None.
    """
    size = layers.shape[-1]
    edge = np.ones_like(radius) if soft is None else np.maximum(soft, 1)
    reach = radius + edge / 2
    inside = (column > -reach) & (column < size + reach) & (row > -reach) & (row < size + reach)
    windows = np.ceil(np.minimum(reach - 0.5, LARGEST * size)).astype(np.int32).clip(1)
    numbers = np.zeros(len(column), np.int32) if which is None else which.astype(np.int32)
    for half in np.flatnonzero(np.bincount(windows[inside])):
        chosen = inside & (windows == half)
        discs = (values[chosen].astype(np.float32) for values in (column, row, radius, value, edge))
        _stamp_alike(layers, int(half), numbers[chosen], *discs)


def _stamp_alike(
    layers: Layer,
    half: int,
    which: NDArray[np.int32],
    column: Layer,
    row: Layer,
    radius: Layer,
    value: Layer,
    edge: Layer,
) -> None:
    """Stamp discs whose windows have the same size, `2 half + 1` pixels."""
    size = layers.shape[-1]
    around = np.arange(-half, half + 1, dtype=np.int32)[:, None]
    left, top = np.rint(column).astype(np.int32), np.rint(row).astype(np.int32)
    columns, rows = left + around, top + around  # (window, N): the long axis last, which is much faster
    across, down = (columns - column).astype(np.float32), (rows - row).astype(np.float32)
    across *= across
    down *= down
    cover = np.sqrt(down[:, None] + across)  # (window, window, N)
    steep = value / edge
    cover *= -steep
    cover += (radius + edge / 2) * steep
    np.minimum(cover, np.minimum(1, 2 * radius / edge) * value, out=cover)
    index = ((which * size + rows) * size).astype(np.intp)[:, None] + columns
    if left.min() < half or top.min() < half or left.max() >= size - half or top.max() >= size - half:
        inside = ((rows >= 0) & (rows < size))[:, None] & ((columns >= 0) & (columns < size))
        cover, index = cover[inside], index[inside]
    np.maximum.at(
        layers.reshape(-1), index.reshape(-1), cover.reshape(-1)
    )  # layers start at 0: no less is drawn

"""Where a point of the body lies in the image, and how shapes with sharp and with soft edges are drawn there."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from k2c.synthetic.texture import Layer

Points: TypeAlias = NDArray[np.floating[Any]]

FINE = 512  # pixels of the side on which shapes with sharp edges are drawn before they are averaged down
LARGEST = 0.45  # of the image's side: a soft disc's radius


@dataclass(frozen=True)
class View:
    """How a camera sees a retina.

    Attributes
    ----------
    size
        Pixels of the image's side.
    radius
        Of the field of view, in pixels.
    scale
        Pixels a degree.
    centre
        The point of the retina in the middle of the image: degrees towards the nose and downwards from the
        fovea.
    rotation
        Of the image, in radians.
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


@dataclass(frozen=True)
class Frame:
    """What the film covers of the chest.

    Places are given in halves of an average film's side: x from the spine to the right of the image (the
    patient's left), y downwards from the middle.

    Attributes
    ----------
    size
        Pixels of the film's side.
    zoom
        Across and down; 1 shows x and y from -1 to 1.
    centre
        The point of the chest in the middle of the film.
    """

    size: int
    zoom: tuple[float, float] = (1.0, 1.0)
    centre: tuple[float, float] = (0.0, 0.0)

    @property
    def x(self) -> Layer:
        """The columns' places, float32 (1, S)."""
        return self._line(0)[None, :]

    @property
    def y(self) -> Layer:
        """The rows' places, float32 (S, 1)."""
        return self._line(1)[:, None]

    def pixels(self, x: ArrayLike, y: ArrayLike, times: int = 1) -> Points:
        """Return columns and rows on a film of `times` as many pixels, (N, 2)."""
        half = self.size * times / 2
        across = (np.asarray(x) - self.centre[0]) * self.zoom[0]
        down = (np.asarray(y) - self.centre[1]) * self.zoom[1]
        return np.stack([half + half * across, half + half * down], axis=-1)

    def _line(self, axis: int) -> Layer:
        middle = (np.arange(self.size, dtype=np.float32) + 0.5) * np.float32(2 / self.size) - 1
        return middle / np.float32(self.zoom[axis]) + np.float32(self.centre[axis])


class Canvas:
    """Shapes with sharp edges: drawn large, later ones over earlier ones, then averaged down.

    Parameters
    ----------
    frame
        Where they lie.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.times = max(2, FINE // frame.size)
        side = frame.size * self.times
        self.image = Image.new("L", (side, side))
        self.draw = ImageDraw.Draw(self.image)

    def polygon(self, x: ArrayLike, y: ArrayLike, value: float) -> None:
        """Fill a polygon, (N,) corners, with a value from 0 to 1."""
        corners = self.frame.pixels(x, y, self.times)
        self.draw.polygon(corners.ravel().tolist(), fill=round(255 * value))

    def bands(self, x: Points, y: Points, radius: ArrayLike, value: float) -> None:
        """Draw bands along V lines of T points, (V, T) or (T,); `radius` is half their width there."""
        x, y = np.atleast_2d(x), np.atleast_2d(y)
        along_x, along_y = _differences(x), _differences(y)
        across = np.asarray(radius) / (np.sqrt(along_x**2 + along_y**2) + 1e-9)
        across_x, across_y = -along_y * across, along_x * across
        corners = self.frame.pixels(
            np.concatenate([x + across_x, (x - across_x)[:, ::-1]], axis=1),
            np.concatenate([y + across_y, (y - across_y)[:, ::-1]], axis=1),
            self.times,
        )
        for outline in corners.reshape(len(x), -1).tolist():
            self.draw.polygon(outline, fill=round(255 * value))

    def lines(self, x: Points, y: Points, radius: ArrayLike, value: ArrayLike) -> None:
        """Draw V lines of T points, (V, T); those too thin to be drawn are fainter instead.

        Parameters
        ----------
        x, y
            The points.
        radius, value
            Half a line's width, and its brightness from 0 to 1; (V,) each.
        """
        width = np.asarray(radius) * self.frame.size * self.times * self.frame.zoom[0]
        fill = np.rint(255 * np.asarray(value) * np.clip(width, 0.3, 1)).astype(int).tolist()
        corners = self.frame.pixels(x, y, self.times).reshape(len(x), -1).tolist()
        wide = np.maximum(1, np.rint(width)).astype(int).tolist()
        for points, tone, pixels in zip(corners, fill, wide, strict=True):
            self.draw.line(points, fill=tone, width=pixels)

    def disc(self, x: float, y: float, radius: float, value: float) -> None:
        """Draw a disc."""
        corners = self.frame.pixels([x - radius, x + radius], [y - radius, y + radius], self.times)
        self.draw.ellipse(corners.ravel().tolist(), fill=round(255 * value))

    def layer(self) -> Layer:
        """Return what was drawn, float32 (S, S), 0 to 1."""
        return np.asarray(self.image.reduce(self.times), np.float32) * np.float32(1 / 255)


def _differences(values: Points) -> Points:
    """Return differences along the last axis, as many as there are values."""
    steps = np.empty_like(values)
    steps[:, 1:-1] = values[:, 2:] - values[:, :-2]
    steps[:, 0], steps[:, -1] = values[:, 1] - values[:, 0], values[:, -1] - values[:, -2]
    return steps


def curve(at: Layer, points: ArrayLike, soft: float = 0.0) -> Layer:
    """Interpolate a line through points (place, value), smoothed over `soft`, at the places `at`."""
    where, value = np.asarray(points, np.float32).T
    flat = at.ravel()
    line = np.interp(flat, where, value).astype(np.float32)
    if soft:
        line = ndimage.gaussian_filter1d(
            line, soft / abs(float(flat[1] - flat[0])), mode="nearest", truncate=3
        )
    return line.reshape(at.shape)


def step(distance: Layer, soft: float) -> Layer:
    """Return 0 where a signed distance is negative, 1 where it is positive, with an edge of width `soft`."""
    return np.clip(distance * np.float32(1 / soft) + np.float32(0.5), 0, 1)


def blob(frame: Frame, x: float, y: float, wide: float, high: float) -> Layer:
    """Return a round cloud, float32 (S, S): 1 in the middle, exp(-1/2) at a distance of `wide` and `high`."""
    across = np.exp(np.float32(-0.5) * ((frame.x - np.float32(x)) / np.float32(wide)) ** 2)
    down = np.exp(np.float32(-0.5) * ((frame.y - np.float32(y)) / np.float32(high)) ** 2)
    return down * across


def joined(first: Layer, second: Layer) -> Layer:
    """Return the fraction that is filled when two fillings lie over one another."""
    return first + second - first * second


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
        In pixels, (N,) each. What lies outside the image is left out.
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

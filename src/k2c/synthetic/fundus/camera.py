"""Fundus cameras: colour cast, field of view, light, and what the optics and the sensor add."""

import io
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

from k2c.synthetic.canvas import View, stamp
from k2c.synthetic.texture import GRAIN, Layer, piece

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """One make of camera, with the habits of those who use it.

    Attributes
    ----------
    colour
        Of a usual fundus in its images, red, green and blue, 0 to 1.
    field
        Degrees across the field of view.
    fill
        The field's diameter, as a fraction of the image's side.
    flat
        Where top and bottom are cut off, as a fraction of the field's radius; 1 is a full circle.
    notch
        Mark at the field's upper right edge: `"round"`, `"square"`, or none.
    rim, rim_colour
        How much scattered light lies along the edge of the field, and its colour.
    vignette
        How much darker the edge is, in powers of e.
    grain
        Noise of the sensor, as a fraction of the range.
    quality
        Of the JPEG file; None when it shows no trace of one at this size.
    """

    colour: RGB
    field: float
    fill: float
    flat: float
    notch: str
    rim: float
    rim_colour: RGB
    vignette: float
    grain: float
    quality: int | None


CAMERAS: dict[str, Camera] = {
    "amber": Camera((0.64, 0.41, 0.24), 45, 0.985, 1.0, "round", 0.10, (0.8, 0.7, 0.4), 0.40, 0.008, None),
    "coral": Camera((0.80, 0.31, 0.20), 46, 0.985, 1.0, "square", 0.02, (0.9, 0.4, 0.3), 0.30, 0.006, None),
    "rose": Camera((0.70, 0.48, 0.43), 45, 0.99, 0.80, "", 0.30, (0.3, 0.75, 0.75), 0.35, 0.009, 88),
    "slate": Camera((0.55, 0.39, 0.34), 50, 0.985, 1.0, "round", 0.06, (0.5, 0.5, 0.6), 0.55, 0.012, 82),
    "olive": Camera((0.62, 0.37, 0.13), 45, 0.985, 0.86, "round", 0.18, (0.75, 0.8, 0.45), 0.35, 0.010, None),
    "ember": Camera((0.62, 0.24, 0.08), 42, 0.985, 1.0, "round", 0.02, (0.9, 0.4, 0.2), 0.60, 0.010, None),
}


def point(camera: Camera, eye_is_right: bool, size: int, rng: np.random.Generator) -> View:
    """Point a camera at an eye, more or less at the middle between disc and fovea."""
    radius = camera.fill * size / 2 * rng.uniform(0.985, 1.0)
    field = camera.field * rng.uniform(0.96, 1.04)
    centre = (rng.uniform(-0.5, 8.0), rng.normal(0, 0.9))
    rotation = rng.normal(0, 0.05)
    return View(size, radius, radius / (field / 2), centre, rotation, 1 if eye_is_right else -1)


@lru_cache(maxsize=4)
def _from_middle(size: int) -> tuple[Layer, Layer, Layer]:
    """Columns (1, S) and rows (S, 1) from the middle in fractions of half the side, and the distance (S, S)."""
    line = (np.arange(size, dtype=np.float32) - (size - 1) / 2) / np.float32(size / 2)
    return line[None, :], line[:, None], np.hypot(line[None, :], line[:, None])


def light(camera: Camera, view: View, rng: np.random.Generator) -> Layer:
    """Return the logarithm of the illumination, float32 (S, S): falloff, tilt, and a pupil that was missed."""
    across, down, _ = _from_middle(view.size)
    reach = view.radius / (view.size / 2)
    angle, tilt = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.16)
    spot = rng.normal(0, 0.18, 2).astype(np.float32)
    square = ((across - spot[0]) ** 2 + (down - spot[1]) ** 2) / np.float32(reach**2)
    strength = camera.vignette * rng.uniform(0.6, 1.5)
    field = np.float32(tilt * np.cos(angle)) * across + np.float32(tilt * np.sin(angle)) * down
    field = field - np.float32(strength) * square * (0.35 + 0.65 * square)
    if rng.random() < 0.22:  # a shadow of the iris creeps in from one side
        angle, edge, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.75), rng.uniform(0.3, 1.2)
        towards = np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down
        field -= np.float32(depth) * np.clip((towards - np.float32(edge)) / 0.5 + 0.5, 0, 1) ** 2
    return field


def expose_photograph(
    image: Layer,
    camera: Camera,
    view: View,
    rng: np.random.Generator,
    blur: float = 0.0,
    exposure: float = 0.0,
    dust: int = 0,
) -> np.ndarray:
    """Turn the light that leaves the eye into a photograph.

    Parameters
    ----------
    image
        float32 (3, S, S): light by colour, about 0 to 1. It is overwritten.
    camera, view
        Who looks, and how.
    rng
        Decides scatter, noise and where dust lies.
    blur, exposure, dust
        As of `Eye`.

    Returns
    -------
    numpy.ndarray
        uint8 (S, S, 3).
    """
    _, _, distance = _from_middle(view.size)
    reach = view.radius / (view.size / 2)
    _scatter(image, camera, view, distance / np.float32(reach), rng)
    _soften(image)
    if blur:
        _blur(image, blur * view.size / 224)
    if dust:
        _dust(image, dust, view, rng)
    if exposure:
        image *= np.float32(2.0**exposure)
    _shoulder(image)
    grain = np.float32(camera.grain * rng.uniform(0.6, 1.5) * (224 / view.size) ** 0.25)
    for channel in image:
        channel += grain * piece(GRAIN, view.size, rng)
    image *= _field_stop(camera, view, rng)
    image += np.float32(0.006)
    return _develop(image, camera.quality)


def _scatter(image: Layer, camera: Camera, view: View, distance: Layer, rng: np.random.Generator) -> None:
    """Add light that never saw the retina: a veil, and a rim at the edge of the field, stronger on one side."""
    across, down, _ = _from_middle(view.size)
    veil = rng.gamma(1.2, 0.014)
    angle = rng.uniform(0, 2 * np.pi)
    one_sided = 0.55 + 0.45 * (np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down)
    width = rng.uniform(0.06, 0.16)
    rim = np.clip((distance - np.float32(1 - width)) / np.float32(width), 0, 1.2) ** 2 * one_sided
    amount = camera.rim * rng.gamma(2.0, 0.5)
    for channel, colour, tint in zip(image, camera.rim_colour, (0.9, 1.0, 1.05), strict=True):
        channel += np.float32(amount * colour) * rim + np.float32(veil * tint)


def _soften(image: Layer) -> None:
    """Blur by the lens and the eye's own optics: 1-2-1 along both axes, in place."""
    for channel in image:
        inner = channel[1:-1] * 2
        inner += channel[:-2]
        inner += channel[2:]
        channel[1:-1] = inner
        inner = channel[:, 1:-1] * 2
        inner += channel[:, :-2]
        inner += channel[:, 2:]
        channel[:, 1:-1] = inner
    image[:, 1:-1, 1:-1] *= np.float32(1 / 16)
    image[:, [0, -1]] = image[:, [1, -2]]
    image[:, :, [0, -1]] = image[:, :, [1, -2]]


def _blur(image: Layer, sigma: float) -> None:
    for channel in image:
        ndimage.gaussian_filter(channel, sigma, output=channel, mode="nearest", truncate=3)


def _dust(image: Layer, amount: int, view: View, rng: np.random.Generator) -> None:
    """Draw specks on the lens, out of focus: grey discs, some bright rings."""
    radius = view.radius * np.sqrt(rng.random(amount)) * 0.95
    angle = rng.uniform(0, 2 * np.pi, amount)
    middle = (view.size - 1) / 2
    column, row = middle + radius * np.cos(angle), middle + radius * np.sin(angle)
    width = view.size * rng.uniform(0.006, 0.022, amount)
    bright = rng.random(amount) < 0.45
    layer = np.zeros((view.size, view.size), np.float32)
    for chosen, colour in ((bright, (0.20, 0.21, 0.20)), (~bright, (-0.16, -0.11, -0.07))):
        layer[:] = 0
        soft = width[chosen] * 0.7 + 1
        stamp(layer, column[chosen], row[chosen], width[chosen], rng.uniform(0.4, 1, chosen.sum()), soft)
        for channel, tint in zip(image, colour, strict=True):
            channel += (
                np.float32(tint) * layer * (channel if tint < 0 else 1) * np.float32(2 if tint < 0 else 1)
            )


def _shoulder(image: Layer) -> None:
    """Let highlights run into white slowly, as film and cameras do, in place: x / (1 + x^4)^(1/4)."""
    square = image * image
    square *= square
    square += 1
    np.sqrt(square, out=square)
    np.sqrt(square, out=square)
    image /= square


def _field_stop(camera: Camera, view: View, rng: np.random.Generator) -> Layer:
    """Return what the field stop lets through: 1 inside the field of view, 0 outside, with a soft edge."""
    across, down, distance = _from_middle(view.size)
    half = np.float32(view.size / 2)
    reach = np.float32(view.radius) / half
    sharp = half / np.float32(rng.uniform(1.1, 2.2))
    stop = (reach - distance) * sharp
    if camera.notch:
        angle = rng.uniform(-0.88, -0.62)
        corner = (slice(None, view.size // 2), slice(view.size // 2, None))  # the upper right
        right = across[:, corner[1]] - reach * np.float32(math.cos(angle))
        below = down[corner[0]] - reach * np.float32(math.sin(angle))
        if camera.notch == "round":
            tab = np.float32(0.045) - np.hypot(right, below)
        else:
            along = right * np.float32(math.cos(angle)) + below * np.float32(math.sin(angle))
            beside = below * np.float32(math.cos(angle)) - right * np.float32(math.sin(angle))
            tab = np.float32(0.055) - np.maximum(np.abs(along), np.abs(beside))
        stop[corner] = np.maximum(stop[corner], tab * sharp)
    if camera.flat < 1:
        stop = np.minimum(stop, (reach * np.float32(camera.flat) - np.abs(down)) * sharp)
    return np.clip(stop + np.float32(0.5), 0, 1)


def in_view(camera: Camera, view: View) -> np.ndarray:
    """Return which pixels the field of view covers, bool (S, S), without the notch."""
    _, down, distance = _from_middle(view.size)
    reach = np.float32(view.radius / (view.size / 2))
    return (distance < reach) & (np.abs(down) < reach * np.float32(camera.flat))


def _develop(image: Layer, quality: int | None) -> np.ndarray:
    """Round to bytes, and pass them through a JPEG file."""
    image *= np.float32(255)
    image += np.float32(0.5)
    np.clip(image, 0, 255, out=image)
    pixels = np.empty((*image.shape[1:], 3), np.uint8)
    for number, channel in enumerate(image):
        pixels[:, :, number] = channel
    if quality is None:
        return pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))

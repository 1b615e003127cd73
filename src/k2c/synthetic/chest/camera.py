"""From what the chest absorbs to a film: processing, grain, collimation, markers."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from k2c.synthetic.canvas import Frame
from k2c.synthetic.texture import GRAIN, Layer, piece


@dataclass(frozen=True)
class Detector:
    """One make of X-ray unit and the look that its software gives to films.

    Attributes
    ----------
    black, white
        Absorption that is shown black, and white.
    gamma
        Above 1 darkens the middle greys.
    detail
        How much local contrast is raised.
    grain
        Noise, as a fraction of the range.
    air
        Grey of the air beside the patient.
    """

    black: float
    white: float
    gamma: float
    detail: float
    grain: float
    air: float


DETECTORS = {
    "soft": Detector(-0.04, 0.92, 0.95, 0.15, 0.008, 0.09),
    "crisp": Detector(-0.02, 0.92, 1.0, 0.45, 0.006, 0.05),
    "dark": Detector(0.05, 0.95, 1.15, 0.35, 0.007, 0.03),
    "pale": Detector(-0.14, 0.96, 0.9, 0.35, 0.006, 0.12),
    "portable": Detector(-0.05, 1.0, 1.05, 0.25, 0.014, 0.06),
}
FROM_BEHIND = ("soft", "crisp", "crisp", "dark", "pale")
FROM_FRONT = ("portable", "portable", "soft", "crisp", "dark")


def choose_detector(view: str, rng: np.random.Generator) -> Detector:
    """Draw the unit that takes a film: another one at the bedside than in the department."""
    names = FROM_FRONT if view == "AP" else FROM_BEHIND
    return DETECTORS[names[rng.integers(len(names))]]


def aim(size: int, view: str, rng: np.random.Generator) -> Frame:
    """Draw what the film covers."""
    spread = 0.055 if view == "PA" else 0.075
    zoom = rng.normal(1.0 if view == "PA" else 0.95, spread)
    across, down = zoom * rng.normal(1.03, 0.03), zoom * rng.normal(1.02, 0.04)
    return Frame(size, (across, down), (rng.normal(0, 0.035), rng.normal(-0.01, 0.06)))


def turned(layer: Layer, degrees: float) -> Layer:
    """Turn a layer about its middle; what lies beyond the edge goes on as at the edge."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(layer.shape) - 1) / 2
    return ndimage.affine_transform(layer, matrix, middle - matrix @ middle, order=1, mode="nearest")


def expose_film(absorbed: Layer, detector: Detector, view: str, rng: np.random.Generator) -> Layer:
    """Turn what was absorbed into grey values.

    Parameters
    ----------
    absorbed
        float32 (S, S), about 0 to 1. Overwritten.
    detector
        Who looks.
    view
        `"PA"` or `"AP"`: scattered light and noise are stronger at the bedside.
    rng
        Decides exposure and noise.

    Returns
    -------
    numpy.ndarray
        float32 (S, S), 0 to 1.
    """
    size = len(absorbed)
    veil = rng.uniform(0.1, 0.4) if view == "AP" else rng.uniform(0, 0.15)
    local = _smooth(absorbed, 0.12 * size)
    absorbed += np.float32(detector.detail * rng.uniform(0.7, 1.3) - veil) * (absorbed - local)
    drift = rng.normal(0, 0.025 if view == "PA" else 0.035)
    contrast = rng.normal(1.0, 0.06)
    value = (absorbed - np.float32(detector.black - drift)) * np.float32(
        contrast / (detector.white - detector.black)
    )
    value = np.clip(value, 0.004, None) ** np.float32(detector.gamma * rng.normal(1.0, 0.08))
    value = _shoulder(value)
    floor = np.float32(detector.air * rng.uniform(0.6, 1.6))
    value = floor + (1 - floor) * value
    grain = detector.grain * rng.uniform(0.6, 1.5) * (224 / size) ** 0.25
    value += np.float32(grain) * (1.3 - np.clip(value, 0, 1)) * piece(GRAIN, size, rng)
    return value


def _smooth(layer: Layer, width: float) -> Layer:
    """Blur widely: on a copy of an eighth of the size, which shows no less of it."""
    step = max(1, len(layer) // 32)
    small = Image.fromarray(layer).reduce(step)
    small = Image.fromarray(
        ndimage.gaussian_filter(np.asarray(small), width / step, mode="nearest", truncate=2.5)
    )
    return np.asarray(small.resize(layer.shape[::-1], Image.Resampling.BICUBIC))


def _shoulder(value: Layer) -> Layer:
    """Let the brightest run into white slowly."""
    fourth = value * value
    fourth *= fourth
    return value * np.float32(1.08) / np.sqrt(np.sqrt(1 + fourth * np.float32(0.6)))


def finish(value: Layer, view: str, rng: np.random.Generator) -> np.ndarray:
    """Collimate, mark the side, and round to bytes: uint8 (S, S)."""
    size = len(value)
    _collimate(value, view, rng)
    np.multiply(np.clip(value, 0, 1), 255, out=value)
    image = Image.fromarray((value + np.float32(0.5)).astype(np.uint8))
    _mark(image, size, view, rng)
    return np.asarray(image)


def _collimate(value: Layer, view: str, rng: np.random.Generator) -> None:
    """Leave edges of the plate unexposed, or white where the shutter cut the beam."""
    size = len(value)
    chance = 0.35 if view == "PA" else 0.5
    edges = rng.random(4) < chance * 0.5
    widths = np.rint(rng.gamma(1.5, 0.012, 4) * size).astype(int)
    tone = np.float32(rng.choice([0.0, 0.02, 0.97], p=[0.55, 0.2, 0.25]))
    for edge, (on, width) in enumerate(zip(edges, widths, strict=True)):
        if on and width:
            rows = (slice(None, width), slice(-width, None))[edge % 2]
            value[(rows, slice(None)) if edge < 2 else (slice(None), rows)] = tone


def _mark(image: Image.Image, size: int, view: str, rng: np.random.Generator) -> None:
    """Write the side and, at the bedside, how the film was taken."""
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(6, size * rng.uniform(0.035, 0.06)))
    tone = int(rng.integers(190, 256))
    x, y = size * rng.uniform(0.84, 0.95), size * rng.uniform(0.02, 0.16)
    kind = rng.random()
    if kind < 0.85:
        draw.text((x, y), "L", fill=tone, font=font)
    else:
        draw.text((size * rng.uniform(0.03, 0.12), y), "R", fill=tone, font=font)
    if rng.random() < 0.35:
        draw.ellipse([x, y - 0.05 * size, x + 0.045 * size, y - 0.005 * size], fill=tone - 25)
    if view == "AP" and rng.random() < 0.6:
        small = ImageFont.load_default(max(5, size * 0.028))
        words = str(rng.choice(["PORTABLE", "AP", "AP PORTABLE", "SEMI-ERECT", "SUPINE"]))
        draw.text(
            (size * rng.uniform(0.02, 0.7), size * rng.uniform(0.03, 0.2)), words, fill=tone, font=small
        )

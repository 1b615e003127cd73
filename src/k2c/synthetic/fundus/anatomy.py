"""What two eyes of a patient have in common, and the retina without its vessels: pigment, macula, optic disc."""

from dataclasses import dataclass

import numpy as np

from k2c.synthetic.canvas import View
from k2c.synthetic.texture import Layer, piece

RGB = tuple[float, float, float]
RIM: RGB = (1.28, 0.72, 0.46)  # light from the optic disc
CUP: RGB = (1.55, 1.15, 0.78)
OF_CAMERA: RGB = (0.4, 0.45, 0.65)  # how much of its colour is that of camera and eye


@dataclass(frozen=True)
class Style:
    """The looks of a patient's eyes. Lengths in degrees; `bright`, `red` and `blue` in powers of e."""

    bright: float
    red: float
    blue: float
    clouds: float
    mottle: float
    choroid: float
    sheen: float
    fovea: float
    disc: tuple[float, float]
    disc_radius: float
    cup: float
    pallor: float
    crescent: float
    tortuosity: float
    width: float


def patient_style(rng: np.random.Generator) -> Style:
    """Draw the looks of a patient's eyes."""
    return Style(
        bright=rng.normal(0, 0.16),
        red=float(np.clip(rng.normal(0, 0.05), -0.08, 0.12)),
        blue=rng.normal(0, 0.10),
        clouds=rng.uniform(0.03, 0.10),
        mottle=rng.uniform(0.007, 0.018),
        choroid=float(np.clip(rng.normal(0.02, 0.06), 0, 0.13)),
        sheen=rng.uniform(0.0, 0.22),
        fovea=rng.uniform(0.3, 0.8),
        disc=(rng.normal(15.3, 0.5), rng.normal(-1.4, 0.5)),
        disc_radius=rng.normal(2.75, 0.2),
        cup=float(np.clip(rng.normal(0.42, 0.12), 0.2, 0.75)),
        pallor=rng.normal(0, 0.12),
        crescent=max(0.0, rng.normal(-0.1, 0.4)),
        tortuosity=float(np.clip(rng.gamma(16, 0.055), 0.5, 1.6)),
        width=rng.normal(1, 0.06),
    )


def background(style: Style, colour: RGB, view: View, rng: np.random.Generator) -> Layer:
    """Return the logarithm of the light that a retina without vessels sends back, float32 (3, S, S)."""
    size = view.size
    base = np.log(np.array(colour)) + style.bright + np.array([style.red, -style.red, style.blue - style.red])
    clouds = piece("cloud", size, rng) * np.float32(style.clouds)
    hue = piece("cloud", size, rng) * np.float32(0.25 * style.clouds)
    across, down = view.offsets(0, 0)
    clouds += piece("mottle", size, rng) * np.float32(style.mottle)
    if style.choroid > 0.01:
        lines = np.exp(-np.square(piece("choroid", size, rng)) * 2.5)
        lines -= 0.4
        patches = np.clip(0.5 + 0.5 * piece("cloud", size, rng), 0, 1.5)
        patches *= 1 - _bell(across, down, 6.0, 6.0)
        clouds += lines * patches * np.float32(style.choroid)
        hue += lines * patches * np.float32(style.choroid * 0.3)
    narrow, wide = rng.uniform(0.9, 1.5), rng.uniform(2.8, 4.2)
    pit = _bell(across, down, narrow, narrow) * np.float32(0.55 * style.fovea)
    pit += _bell(across, down, wide, wide) * np.float32(0.45 * style.fovea)
    glow = _glow(style, view)
    light = np.empty((3, size, size), np.float32)
    weights = ((1.0, 0.55, 0.8, 0.5), (1.0, -1.0, 1.0, 1.0), (0.9, -0.6, 1.1, 1.0))
    for channel, start, (w_cloud, w_hue, w_pit, w_glow) in zip(light, base, weights, strict=True):
        np.multiply(clouds, np.float32(w_cloud), out=channel)
        channel += np.float32(w_hue) * hue
        channel -= np.float32(w_pit) * pit
        channel += np.float32(w_glow) * glow
        channel += np.float32(start)
    return light


def _glow(style: Style, view: View) -> Layer:
    """Return the sheen of the nerve fibres: brightest above and below the disc, thin towards the macula."""
    across, down = view.offsets(*style.disc)
    return _bell(across, down, 4.2, 6.5) * np.float32(style.sheen)


def _bell(across: Layer, down: Layer, wide: float, tall: float) -> Layer:
    """Return a Gaussian bump as the product of a row and a column."""
    row, column = np.exp(across * across * (-0.5 / wide**2)), np.exp(down * down * (-0.5 / tall**2))
    return (row * column).astype(np.float32)


def draw_disc(light: Layer, style: Style, view: View, rng: np.random.Generator) -> None:
    """Draw the optic disc with its cup into `light` (logarithms, float32 (3, S, S)), in place."""
    across, down = view.offsets(*style.disc)
    reach = style.disc_radius * 2.0
    columns = np.flatnonzero(np.abs(across[0]) < reach)
    rows = np.flatnonzero(np.abs(down[:, 0]) < reach)
    if not len(columns) or not len(rows):
        return
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    nasal, below = across[:, window[1]] * view.mirror, down[window[0]]
    tall = rng.uniform(1.02, 1.12)
    angle = np.arctan2(below, nasal)
    uneven = (
        1 + 0.025 * np.sin(2 * angle + rng.uniform(0, 6.3)) + 0.02 * np.sin(3 * angle + rng.uniform(0, 6.3))
    )
    distance = np.hypot(nasal * tall, below / tall) / (style.disc_radius * uneven)
    edge = max(0.05, 0.7 / (view.scale * style.disc_radius))
    inside = np.clip(0.5 - (distance - 1) / (2 * edge), 0, 1)
    shift = rng.uniform(0.05, 0.18)
    cup_distance = np.hypot(nasal / style.disc_radius + shift, below / style.disc_radius / 1.05)
    cup = 1 / (1 + np.exp((cup_distance - style.cup) / 0.07))
    temporal = np.clip(0.5 - 0.45 * nasal / style.disc_radius, 0, 1)
    halo = np.exp(-np.square(np.maximum(distance - 1, 0) / 0.28)) * (1 - inside)
    crescent = style.crescent * np.exp(-np.square((distance - 1.12) / 0.11)) * np.square(temporal)
    grey = 0.08 * (1 - temporal) * np.exp(-np.square((distance - 1.05) / 0.08))
    colours = zip(light, np.log(RIM), np.log(CUP), OF_CAMERA, (0.02, 0.1, 0.1), (0.15, 0.4, 0.4), strict=True)
    for channel, of_rim, of_cup, fraction, h, c in colours:
        patch = channel[window]
        around = float(np.median(patch))
        paler = (0.15 * (temporal - 0.5) + cup) * (of_cup - of_rim) + style.pallor * 0.3
        own = of_rim + fraction * (around - of_rim) + paler
        patch += inside * (own - around - 0.6 * (patch - around)) + halo * h + crescent * c * 0.5 - grey

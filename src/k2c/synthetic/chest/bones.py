"""Ribs, spine, clavicles, shoulder blades and arms."""

import numpy as np

from k2c.synthetic.chest.body import SIDES, SPINE, Body, wall
from k2c.synthetic.chest.canvas import Frame, Layer, Points, Sheet, step
from k2c.synthetic.texture import piece

RIBS = 11
QUARTER = np.linspace(0, np.pi / 2, 12)


def draw_bones(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw all bones.

    Returns
    -------
    numpy.ndarray
        float32 (S, S): how much they absorb.
    """
    bones = _ribs(body, frame, rng)
    bones += _shoulders(body, frame, rng)
    bones *= np.float32(body.bone)
    bones += _spine(body, frame, rng)
    return bones


def _ribs(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    behind, before = Sheet(frame), Sheet(frame)
    first = body.apex - rng.uniform(0.02, 0.06)
    apart = (max(body.domes) + 0.14 - first) / rng.uniform(8.8, 10.2)
    slope = rng.uniform(0.8, 1.25) * (0.8 if body.supine else 1.0)
    thick = apart * rng.uniform(0.18, 0.235)
    for sign in SIDES:
        number = np.arange(RIBS)[:, None]
        start = first + apart * number + rng.normal(0, 0.006, (RIBS, 1))
        x, y = _posterior(body, start, number, slope)
        width = thick * np.linspace(0.85, 1.1, len(QUARTER))
        behind.bands(sign * x, y, width, 1.0)
        behind.bands(sign * x, y, 0.6 * width, 0.7)  # the cortex is denser than the marrow
        x, y = _anterior(body, x[:7, -1:], y[:7, -1:], number[:7], slope)
        width = thick * np.linspace(1.05, 1.3, len(QUARTER))
        before.bands(sign * x, y, width, 1.0)
        before.bands(sign * x, y, 0.68 * width, 0.72)
    return np.float32(0.085) * behind.layer() + np.float32(0.06) * before.layer()


def _posterior(body: Body, start: Points, number: np.ndarray, slope: float) -> tuple[Points, Points]:
    """Trace the rear part of the ribs: from the spine outwards, then down along the wall."""
    drop = slope * (0.16 + 0.035 * np.minimum(number, 6))
    reach = wall(body, np.maximum(start + drop, body.apex + 0.07)) + 0.012
    x = SPINE * 0.6 + (reach - SPINE * 0.6) * np.sin(QUARTER)
    y = start - 0.035 * np.sin(2 * QUARTER) ** 2 + drop * (1 - np.cos(QUARTER))
    return x, y


def _anterior(body: Body, x: Points, y: Points, number: np.ndarray, slope: float) -> tuple[Points, Points]:
    """Trace the front part: on from the wall, down and inwards, to where they turn into cartilage."""
    inwards = x - (0.26 + 0.03 * number)
    drop = slope * (0.15 + 0.035 * number)
    return x - inwards * (1 - np.cos(QUARTER)) ** 0.9, y + drop * np.sin(QUARTER) ** 0.9


def _shoulders(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    sheet, blades = Sheet(frame), Sheet(frame)
    rise = rng.normal(0.10, 0.05) if not body.supine else rng.normal(0.02, 0.06)
    medial = rng.normal(-0.56, 0.035) - 0.04 * body.supine
    for sign in SIDES:
        _blade(blades, body, sign, rng)
        t = np.linspace(0, 1, 14)
        x = 0.075 + t * (body.half + 0.06)
        y = medial - rise * t + rng.normal(0, 0.012) + 0.03 * np.sin(2 * np.pi * t) - 0.05 * np.sin(np.pi * t)
        width = 0.034 - 0.012 * np.sin(np.pi * t)
        sheet.bands(sign * x, y, width, 1.0)
        sheet.bands(sign * x, y, 0.55 * width, 0.72)
        head_x, head_y = body.half + 0.27, medial - rise + 0.10 + rng.normal(0, 0.02)
        sheet.disc(sign * head_x, head_y, 0.105, 0.6)
        _arm(sheet, head_x, head_y, sign, rng)
    return np.float32(0.13) * sheet.layer() + np.float32(0.06) * blades.layer()


def _arm(sheet: Sheet, x: float, y: float, sign: int, rng: np.random.Generator) -> None:
    outwards = rng.uniform(0.02, 0.25)
    arm = np.array([0.0, 1.0])
    sheet.bands(sign * (x + 0.03 + outwards * arm), y + 0.95 * arm, 0.055, 1.0)
    sheet.bands(sign * (x + 0.03 + outwards * arm), y + 0.95 * arm, 0.03, 0.7)


def _blade(sheet: Sheet, body: Body, sign: int, rng: np.random.Generator) -> None:
    """Draw a shoulder blade: turned out of the lungs for a film from behind, over them from the front."""
    inner = body.half + rng.normal(-0.03, 0.05) - (0.2 if body.supine else 0.0)
    turn = rng.normal(0.06, 0.03)
    x = np.array(
        [inner, inner - 0.02, inner + turn, inner + turn + 0.07, inner + 0.22, inner + 0.30, inner + 0.16]
    )
    y = np.array([-0.62, -0.35, -0.08, -0.08, -0.38, -0.6, -0.68])
    sheet.polygon(sign * x, y, 0.6)
    sheet.bands(sign * np.array([inner + turn + 0.06, inner + 0.24]), np.array([-0.08, -0.5]), 0.014, 1.0)
    sheet.bands(
        sign * np.array([inner, inner - 0.02, inner + turn]), np.array([-0.62, -0.35, -0.08]), 0.008, 0.9
    )


def _spine(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw the column: vertebrae with discs between them, brighter rings of their arches, and what is behind."""
    bend = np.float32(rng.normal(0, 0.02)) * np.sin(np.float32(2.2) * frame.y + np.float32(rng.uniform(0, 6)))
    away = np.abs(frame.x - bend)
    column = step(np.float32(SPINE) - away, 0.07)
    rows = frame.y + np.float32(0.01) * frame.y * frame.y
    tall = np.float32(0.115) + np.float32(0.03) * rows
    phase = np.cos((2 * np.pi * (rows + rng.uniform(0, 0.1)) / tall).astype(np.float32))
    bodies = np.float32(0.13) + np.float32(0.035) * np.clip(2 * phase, -1, 1)
    arches = np.exp(-(((away - 0.055) / 0.022) ** 2)) * np.clip(phase, 0, 1) ** 2
    middle = np.exp(-((away / 0.018) ** 2)) * np.clip(-phase, 0, 1)
    spine = column * bodies + np.float32(0.04) * (arches + middle)
    return (spine * (1 + np.float32(0.08) * piece("mottle", frame.size, rng))).astype(np.float32)

"""What every film shows inside the chest's outline: bones, the vessels of the lungs, and the dark windpipe."""

from typing import NamedTuple

import numpy as np

from k2c.synthetic.canvas import Canvas, Frame, Points, blob, step
from k2c.synthetic.chest.body import LEFT, RIGHT, SIDES, SPINE, Body, wall
from k2c.synthetic.texture import Layer, piece

RIBS = 11
QUARTER = np.linspace(0, np.pi / 2, 12)
STEPS = 9  # points of a vessel
HILA = ((0.165, -0.07), (0.175, -0.12))  # |x| and y where the vessels enter: right, left


def draw_bones(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw ribs, collar bones, shoulder blades and arms: float32 (S, S), how much they absorb."""
    bones = _ribs(body, frame, rng)
    bones += _shoulders(body, frame, rng)
    return bones * np.float32(body.bone)


def _ribs(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    behind, before = Canvas(frame), Canvas(frame)
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
        behind.bands(sign * x, y, 0.7 * width, 0.7)  # the cortex is denser than the marrow
        x, y = _anterior(body, x[:7, -1:], y[:7, -1:], number[:7], slope)
        width = thick * np.linspace(1.05, 1.3, len(QUARTER))
        before.bands(sign * x, y, width, 1.0)
        before.bands(sign * x, y, 0.68 * width, 0.72)
    return np.float32(0.07) * behind.layer() + np.float32(0.035) * before.layer()


def _posterior(body: Body, start: Points, number: np.ndarray, slope: float) -> tuple[Points, Points]:
    """Trace the rear part of the ribs: from the spine outwards, then down along the wall."""
    drop = slope * (0.16 + 0.035 * np.minimum(number, 6))
    reach = wall(body, np.maximum(start + drop, body.apex + 0.07)) + 0.012
    x = SPINE * 0.6 + (reach - SPINE * 0.6) * np.sin(QUARTER)
    y = start - 0.03 * np.sin(QUARTER) ** 2 * np.cos(QUARTER) + drop * (1 - np.cos(QUARTER)) ** 0.85
    return x, y


def _anterior(body: Body, x: Points, y: Points, number: np.ndarray, slope: float) -> tuple[Points, Points]:
    """Trace the front part: on from the wall, down and inwards, to where they turn into cartilage."""
    inwards = x - (0.26 + 0.03 * number)
    drop = slope * (0.15 + 0.035 * number)
    return x - inwards * (1 - np.cos(QUARTER)) ** 0.9, y + drop * np.sin(QUARTER) ** 0.9


def _shoulders(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    canvas, blades = Canvas(frame), Canvas(frame)
    rise = rng.normal(0.10, 0.05) if not body.supine else rng.normal(0.02, 0.06)
    medial = rng.normal(-0.56, 0.035) - 0.04 * body.supine
    for sign in SIDES:
        _blade(blades, body, sign, rng)
        t = np.linspace(0, 1, 14)
        x = 0.075 + t * (body.half + 0.06)
        y = medial - rise * t + rng.normal(0, 0.012) + 0.03 * np.sin(2 * np.pi * t) - 0.05 * np.sin(np.pi * t)
        width = 0.03 - 0.012 * np.sin(np.pi * t) ** 0.7
        canvas.bands(sign * x, y, width, 1.0)
        canvas.bands(sign * x, y, 0.55 * width, 0.72)
        head_x, head_y = body.half + rng.uniform(0.12, 0.26), medial - rise + 0.10 + rng.normal(0, 0.02)
        canvas.disc(sign * head_x, head_y, 0.105, 0.6)
        _arm(canvas, head_x, head_y, sign, rng)
    return np.float32(0.09) * canvas.layer() + np.float32(0.07) * blades.layer()


def _arm(canvas: Canvas, x: float, y: float, sign: int, rng: np.random.Generator) -> None:
    outwards = rng.uniform(0.02, 0.25)
    arm = np.array([0.0, 1.0])
    canvas.bands(sign * (x + 0.03 + outwards * arm), y + 0.95 * arm, 0.055, 1.0)
    canvas.bands(sign * (x + 0.03 + outwards * arm), y + 0.95 * arm, 0.03, 0.7)


def _blade(canvas: Canvas, body: Body, sign: int, rng: np.random.Generator) -> None:
    """Draw a shoulder blade: turned out of the lungs for a film from behind, over them from the front."""
    inner = body.half + rng.normal(-0.03, 0.05) - (0.2 if body.supine else 0.0)
    turn = rng.normal(0.06, 0.03)
    x = inner + np.array([0.02, -0.015, turn, turn + 0.05, turn + 0.1, 0.2, 0.27, 0.3, 0.17])
    y = np.array([-0.66, -0.45, -0.16, -0.1, -0.16, -0.42, -0.52, -0.62, -0.7])
    canvas.polygon(sign * x, y, 0.55)
    canvas.bands(sign * x[2:8], y[2:8], 0.012, 1.0)
    canvas.bands(sign * x[:4], y[:4], 0.006, 0.8)
    canvas.bands(sign * (inner + np.array([0.04, 0.2, 0.36])), np.array([-0.55, -0.64, -0.73]), 0.02, 0.9)


def draw_spine(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw the column: vertebrae with discs between them, the rings of their arches, and what is behind.

    Returns
    -------
    numpy.ndarray
        float32 (S, S): how much it absorbs.
    """
    bend = np.float32(rng.normal(0, 0.02)) * np.sin(np.float32(2.2) * frame.y + np.float32(rng.uniform(0, 6)))
    away = np.abs(frame.x - bend)
    rows = frame.y + np.float32(0.01) * frame.y * frame.y
    tall = np.float32(0.115) + np.float32(0.03) * rows
    phase = np.cos((2 * np.pi * (rows + rng.uniform(0, 0.1)) / tall).astype(np.float32))
    waist = np.float32(SPINE) * (np.float32(0.97) - np.float32(0.05) * phase)
    discs = np.clip(np.float32(-1.6) - 3 * phase, 0, 1)
    column = step(waist - away, 0.03) * (np.float32(0.055) - np.float32(0.024) * discs)
    column += np.float32(0.015) * np.exp(-(((away - waist) / np.float32(0.014)) ** 2)) * (1 - discs)
    arches = np.exp(-(((away - 0.055) / 0.02) ** 2)) * np.clip(phase, 0, 1) ** 2
    middle = np.exp(-((away / 0.016) ** 2)) * np.clip(-phase, 0, 1)
    spine = column + np.float32(0.025) * (arches + middle)
    spine *= np.float32(0.5 + 0.5 * body.bone)
    return (spine * (1 + np.float32(0.1) * piece("mottle", frame.size, rng))).astype(np.float32)


class Branches(NamedTuple):
    """Vessels: points (V, T) in the frame's units, x from the spine outwards, and radius (V, T)."""

    x: Points
    y: Points
    heading: Points
    radius: Points


def _grow(body: Body, side: int, rng: np.random.Generator) -> list[Branches]:
    """Grow the vessels of a lung, the thickest first."""
    start = HILA[side]
    count = 9
    # Degrees from straight outwards, downwards positive: few to the top, more and wider ones to the base.
    angle = np.deg2rad(np.linspace(-65, 62, count) + rng.normal(0, 8, count))
    low = angle > 0
    wide = np.where(low, body.vessels[1], body.vessels[0])
    height = max(body.domes[side] - start[1], 0.3)
    length = np.where(low, height * 0.9, start[1] - body.apex) * rng.uniform(0.6, 1.0, count)
    length = np.minimum(length, (body.half - start[0]) / np.maximum(np.cos(angle), 0.3) * 0.92)
    radius = wide * rng.uniform(0.009, 0.017, count)
    # They leave the great artery all along its way: behind the heart's edge, and further out the lower it is.
    along = np.where(low, 0.3, 0.12) * np.sin(angle)
    x = start[0] + np.where(low, 0.15, -0.1) * along + rng.normal(0, 0.02, count)
    y = start[1] + along + rng.normal(0, 0.02, count)
    bend = 0.35 * angle + rng.normal(0, 0.25, count)
    trunks = _follow(x, y, angle, bend, length, radius, rng)
    branches = _branch(trunks, 5, 0.45, rng)
    return [trunks, branches, _branch(branches, 4, 0.55, rng)]


def _follow(
    x: Points,
    y: Points,
    angle: Points,
    bend: Points,
    length: Points,
    radius: Points,
    rng: np.random.Generator,
) -> Branches:
    part = np.linspace(0, 1, STEPS)
    sway = 0.35 * np.sin(rng.uniform(3, 9, (len(x), 1)) * part + rng.uniform(0, 6, (len(x), 1)))
    heading = angle[:, None] + bend[:, None] * part + sway
    stride = length[:, None] / (STEPS - 1)
    along_x = x[:, None] + np.cumsum(np.cos(heading) * stride, axis=1) - np.cos(heading[:, :1]) * stride
    along_y = y[:, None] + np.cumsum(np.sin(heading) * stride, axis=1) - np.sin(heading[:, :1]) * stride
    return Branches(along_x, along_y, heading, radius[:, None] * (1 - part) ** 1.2)


def _branch(parents: Branches, each: int, thinner: float, rng: np.random.Generator) -> Branches:
    count = len(parents.x) * each
    parent = np.repeat(np.arange(len(parents.x)), each)
    at = rng.integers(1, STEPS - 2, count)
    side = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    angle = parents.heading[parent, at] + side * rng.uniform(0.3, 0.9, count)
    whole = np.hypot(
        parents.x[parent, -1] - parents.x[parent, 0], parents.y[parent, -1] - parents.y[parent, 0]
    )
    length = whole * rng.uniform(0.3, 0.6, count)
    radius = parents.radius[parent, at] * rng.uniform(thinner, thinner + 0.3, count)
    bend = -side * rng.uniform(0, 0.5, count)
    return _follow(parents.x[parent, at], parents.y[parent, at], angle, bend, length, radius, rng)


def draw_vessels(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw the vessels of both lungs, and the hila where they come together: float32 (S, S), 0 to 1."""
    canvas = Canvas(frame)
    for side, sign in zip((RIGHT, LEFT), SIDES, strict=True):
        for grown in reversed(_grow(body, side, rng)):
            _draw(canvas, grown, sign, body.shift)
        _hilum(canvas, body, side, sign, rng)
    layer = canvas.layer()
    for side, sign in zip((RIGHT, LEFT), SIDES, strict=True):
        x, y = HILA[side]
        place = (sign * (x + 0.01 + rng.normal(0, 0.01)) + body.shift, y + 0.03)
        layer += np.float32(rng.uniform(0.3, 0.5)) * blob(frame, *place, 0.05, 0.09)
    return layer


def _hilum(canvas: Canvas, body: Body, side: int, sign: int, rng: np.random.Generator) -> None:
    """Draw a lung's great artery, from behind the heart in an arch outwards and down, and veins to the top."""
    x, y = HILA[side]
    part = np.linspace(0, 1, 8)
    down = y - 0.05 + np.array([1.0, 0.8])[side] * rng.uniform(0.28, 0.38) * part
    out = x + rng.normal(-0.01, 0.01) + 0.05 * np.sin(2.2 * part) + rng.uniform(0.03, 0.09) * part**2
    thick = body.vessels[1] * rng.uniform(0.028, 0.036) * (1 - 0.85 * part)
    canvas.bands(sign * out + body.shift, down, thick, 0.75)
    canvas.bands(sign * (x - 0.02 + 0.09 * part**0.8) + body.shift, y - 0.22 * part, thick * 0.6, 0.6)


def _draw(canvas: Canvas, grown: Branches, sign: int, shift: float) -> None:
    x = sign * grown.x + shift
    pieces = (
        ((5, STEPS), (2, 6), (0, 3))
        if len(x) < 20
        else ((4, STEPS), (0, 5))
        if len(x) < 60
        else ((0, STEPS),)
    )
    for first, last in pieces:
        radius = grown.radius[:, (first + last) // 2]
        canvas.lines(x[:, first:last], grown.y[:, first:last], radius, np.minimum(1, 0.25 + radius * 42))


def draw_airway(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw the windpipe and its two branches, which are dark: float32 (S, S), 0 to 1."""
    canvas = Canvas(frame)
    fork = -0.30 + rng.normal(0, 0.02)
    lean = rng.normal(-0.012, 0.01) + body.shift
    canvas.bands(np.array([lean, lean]), np.array([fork - 0.2, fork]), 0.034, 0.6)
    canvas.bands(np.array([0.0, lean, lean]), np.array([-1.2, -0.6, fork - 0.1]), 0.036, 1.0)
    canvas.bands(np.array([lean, lean - 0.14]), np.array([fork - 0.03, fork + 0.14]), 0.020, 0.3)
    canvas.bands(np.array([lean, lean + 0.18]), np.array([fork - 0.03, fork + 0.09]), 0.019, 0.25)
    return canvas.layer()

"""What is drawn into the lungs: arteries and veins that branch, and the dark windpipe."""

from typing import NamedTuple

import numpy as np

from k2c.synthetic.chest.body import LEFT, RIGHT, SIDES, Body
from k2c.synthetic.chest.canvas import Frame, Layer, Points, Sheet, blob

STEPS = 9
HILA = ((0.165, -0.07), (0.175, -0.12))  # |x| and y where the vessels enter: right, left


class Branches(NamedTuple):
    """Vessels: points (V, T) in the frame's units, x from the spine outwards, and radius (V, T)."""

    x: Points
    y: Points
    heading: Points
    radius: Points


def grow(body: Body, side: int, rng: np.random.Generator) -> list[Branches]:
    """Grow the vessels of a lung, the thickest first."""
    start = HILA[side]
    count = 9
    # Degrees from straight outwards, downwards positive: few to the top, more and wider ones to the base.
    angle = np.deg2rad(np.linspace(-78, 78, count) + rng.normal(0, 7, count))
    low = angle > 0
    wide = np.where(low, body.vessels[1], body.vessels[0])
    height = max(body.domes[side] - start[1], 0.3)
    length = np.where(low, height * 1.15, start[1] - body.apex) * rng.uniform(0.7, 1.0, count)
    length = np.minimum(length, (body.half - start[0]) / np.maximum(np.cos(angle), 0.3) * 0.92)
    radius = wide * rng.uniform(0.012, 0.022, count)
    x = start[0] + rng.normal(0, 0.02, count)
    y = start[1] + 0.10 * np.sin(angle) + rng.normal(0, 0.02, count)
    bend = -0.35 * angle + rng.normal(0, 0.25, count)
    trunks = _follow(x, y, angle, bend, length, radius, rng)
    branches = _branch(trunks, 4, 0.5, rng)
    return [trunks, branches, _branch(branches, 3, 0.45, rng)]


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
    sway = 0.25 * np.sin(rng.uniform(3, 9, (len(x), 1)) * part + rng.uniform(0, 6, (len(x), 1)))
    heading = angle[:, None] + bend[:, None] * part + sway
    stride = length[:, None] / (STEPS - 1)
    along_x = x[:, None] + np.cumsum(np.cos(heading) * stride, axis=1) - np.cos(heading[:, :1]) * stride
    along_y = y[:, None] + np.cumsum(np.sin(heading) * stride, axis=1) - np.sin(heading[:, :1]) * stride
    return Branches(along_x, along_y, heading, radius[:, None] * (1 - 0.75 * part))


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
    sheet = Sheet(frame)
    for side, sign in zip((RIGHT, LEFT), SIDES, strict=True):
        for grown in reversed(grow(body, side, rng)):
            _draw(sheet, grown, sign, body.shift)
    layer = sheet.layer()
    for side, sign in zip((RIGHT, LEFT), SIDES, strict=True):
        x, y = HILA[side]
        tilt = rng.normal(0, 0.01)
        for down in (-0.03, 0.05):
            place = (sign * (x + 0.015 + tilt) + body.shift, y + down)
            layer += np.float32(rng.uniform(0.25, 0.45)) * blob(frame, *place, 0.045, 0.06)
    return layer


def _draw(sheet: Sheet, grown: Branches, sign: int, shift: float) -> None:
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
        sheet.lines(x[:, first:last], grown.y[:, first:last], radius, np.minimum(1, 0.3 + radius * 42))


def draw_airway(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Draw the windpipe and its two branches, which are dark: float32 (S, S), 0 to 1."""
    sheet = Sheet(frame)
    fork = -0.27 + rng.normal(0, 0.02)
    lean = rng.normal(-0.012, 0.01) + body.shift
    sheet.bands(np.array([0.0, lean, lean]), np.array([-1.2, -0.6, fork]), 0.037, 1.0)
    sheet.bands(np.array([lean, lean - 0.14]), np.array([fork - 0.01, fork + 0.16]), 0.020, 0.45)
    sheet.bands(np.array([lean, lean + 0.18]), np.array([fork - 0.01, fork + 0.12]), 0.019, 0.4)
    return sheet.layer()

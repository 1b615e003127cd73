"""Tubes, wires and electrodes: what patients at the bedside have on and in them."""

import numpy as np

from k2c.synthetic.canvas import Canvas, Frame
from k2c.synthetic.chest.body import SIDES, Body
from k2c.synthetic.texture import Layer

DEVICES = ("electrodes", "airway tube", "central line", "feeding tube", "chest drain", "pacemaker")
# How often each is there on a film from behind, and from the front.
FREQUENCY = {
    "electrodes": (0.03, 0.4),
    "airway tube": (0.0, 0.25),
    "central line": (0.06, 0.4),
    "feeding tube": (0.01, 0.2),
    "pacemaker": (0.02, 0.03),
}
DRAINED = (0.35, 0.7)  # of the films with a pneumothorax


def choose_devices(view: str, pneumothorax: bool, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw which devices are on a film. Who has air in the pleural space often has a drain already."""
    behind = view == "AP"
    chances = rng.random(len(FREQUENCY) + 1)
    chosen = [
        name for name, chance in zip(FREQUENCY, chances, strict=False) if chance < FREQUENCY[name][behind]
    ]
    if pneumothorax and chances[-1] < DRAINED[behind]:
        chosen.append("chest drain")
    return tuple(chosen)


def draw_devices(
    names: tuple[str, ...], body: Body, frame: Frame, drain: int, rng: np.random.Generator
) -> Layer:
    """Draw devices; `drain` is the side of the chest drain. Returns what they absorb, float32 (S, S)."""
    faint, metal = Canvas(frame), Canvas(frame)
    if "electrodes" in names:
        _electrodes(metal, rng)
    if "airway tube" in names:
        end = rng.uniform(-0.42, -0.3)
        for away in (-0.014, 0.014):
            _path(faint, [(body.shift * 0.5 + away, -1.2), (body.shift + away, end)], 0.006)
    if "central line" in names:
        sign = SIDES[int(rng.random() < 0.25)]
        way = [
            (sign * 0.2, -1.1),
            (sign * 0.16, -0.75),
            (sign * 0.10, -0.55),
            (-0.09, -0.35),
            (-0.11, rng.uniform(-0.2, 0.05)),
        ]
        _path(faint, way, 0.008)
    if "feeding tube" in names:
        _path(faint, [(0.0, -1.2), (0.02, -0.3), (0.03, 0.3), (0.12, 0.55), (0.3, 0.68)], 0.008)
    if "chest drain" in names:
        sign, top = SIDES[drain], rng.uniform(-0.55, -0.2)
        way = [
            (sign * (body.half + 0.35), 0.45),
            (sign * body.half, 0.25),
            (sign * (body.half - 0.15), 0.0),
            (sign * 0.38, top),
        ]
        _path(faint, way, 0.013)
    if "pacemaker" in names:
        sign = SIDES[int(rng.random() < 0.85)]
        metal.disc(sign * 0.62, -0.42, 0.085, 1.0)
        _path(
            metal, [(sign * 0.6, -0.4), (sign * 0.25, -0.62), (-0.08, -0.4), (-0.1, 0.1), (0.1, 0.36)], 0.007
        )
    return np.float32(0.16) * faint.layer() + np.float32(0.34) * metal.layer()


def _electrodes(canvas: Canvas, rng: np.random.Generator) -> None:
    places = [(-0.6, -0.55), (0.6, -0.5), (0.62, 0.35), (-0.55, 0.4), (0.2, 0.1)]
    hub = rng.uniform(-0.4, 0.4), 1.3
    for x, y in places[: int(rng.integers(3, 6))]:
        x, y = x + rng.normal(0, 0.08), y + rng.normal(0, 0.08)
        canvas.disc(x, y, 0.024, 0.6)
        canvas.disc(x, y, 0.012, 1.0)
        middle = (x + hub[0]) / 2 + rng.normal(0, 0.3), (y + hub[1]) / 2 + rng.normal(0, 0.1)
        _path(canvas, [(x, y), middle, (hub[0] + 0.9 * x, hub[1])], 0.003, 0.4)


def _path(canvas: Canvas, points: list[tuple[float, float]], radius: float, value: float = 1.0) -> None:
    """Draw a smooth curve through points (Catmull and Rom's)."""
    p = np.array([points[0], *points, points[-1]], dtype=float)
    t = np.linspace(0, 1, 8)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    x, y = np.concatenate(parts).T
    canvas.lines(x[None], y[None], [radius], [value])

"""A chest on one film, into which the findings are drawn."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from k2c.synthetic.canvas import Frame, curve, joined, step
from k2c.synthetic.chest.anatomy import draw_airway, draw_bones, draw_spine, draw_vessels
from k2c.synthetic.chest.body import RIGHT, SIDES, Body, Shapes, dome, wall
from k2c.synthetic.texture import Layer, piece

SEEN = 0.22  # a pixel belongs to an opacity when this fraction of its air is gone


class Scene:
    """What lies where on a film.

    Attributes
    ----------
    body, frame, shapes
        The patient, the film, and the organs on it.
    filled
        Fraction of the lungs' air that something else has replaced, float32 (S, S).
    marking
        What is left of the lungs' vessels, 1 for all.
    dense
        What absorbs besides, in the units of `absorbed`.
    masks
        Where each finding is, bool (S, S).
    """

    def __init__(self, body: Body, frame: Frame) -> None:
        self.body, self.frame = body, frame
        self.shapes = Shapes(body, frame)
        shape = (frame.size, frame.size)
        self.filled, self.dense = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.marking = np.ones(shape, np.float32)
        self.masks: dict[str, NDArray[np.bool_]] = {}

    def fill(self, name: str, fraction: Layer, side: int | None = None, seen: float = SEEN) -> None:
        """Replace a fraction of the air, float32 (S, S), of a side or of both lungs, and note where."""
        self.filled = joined(self.filled, fraction)
        lung = self.shapes.air > 0.1 if side is None else self.shapes.inside(side)
        self.note(name, (fraction > seen) & lung)

    def note(self, name: str, where: NDArray[np.bool_]) -> None:
        """Add pixels to a finding's mask."""
        self.masks[name] = self.masks[name] | where if name in self.masks else where

    def spot(self, rng: np.random.Generator, side: int, low: float, high: float) -> tuple[float, float]:
        """Choose a place in a lung: `low` to `high` are fractions of its height, 0 at the apex."""
        body = self.body
        y = body.apex + rng.uniform(low, high) * (body.domes[side] - body.apex)
        outer = float(wall(body, y)) - 0.07
        away = rng.uniform(0.24, max(outer, 0.3))
        y = min(y, float(dome(body, away, side)) - 0.04)
        return SIDES[side] * away, y

    def absorbed(self, anatomy: np.random.Generator, texture: np.random.Generator) -> Layer:
        """Return what the patient absorbs, float32 (S, S): about 0 in the air to 1 in the belly."""
        frame, shapes, body = self.frame, self.shapes, self.body
        bones = draw_bones(body, frame, anatomy)
        vessels = draw_vessels(body, frame, anatomy) * self.marking
        airway = draw_airway(body, frame, anatomy)
        beside = np.clip(
            (np.abs(frame.x) - np.float32(body.half)) * 10, 0, 1
        )  # the flank has no sharp upper end
        belly = np.float32(1) - np.exp(
            np.minimum(shapes.domes - frame.y, 0) / (np.float32(0.07) + beside / 2)
        )
        centre = np.maximum(shapes.heart, shapes.mediastinum)
        air = shapes.air * (1 - np.float32(0.9) * centre)
        left = air * (1 - self.filled)
        total = (np.float32(0.52) + np.float32(0.23) * belly) * shapes.outside
        total -= np.float32(0.39 * body.air) * left
        total += (np.float32(0.02) * shapes.mediastinum + np.float32(0.13) * shapes.heart) * (1 - belly)
        total += (
            draw_spine(body, frame, anatomy)
            * (1 - np.float32(0.6) * belly)
            * (1 - np.float32(0.55) * shapes.heart)
        )
        total += _rind(shapes, frame)
        clear = np.float32(0.35) + np.float32(0.65) * np.minimum(1, 2 * left + np.float32(0.2))
        total += bones * clear * (1 - np.float32(0.7) * belly) * (1 - np.float32(0.4) * centre)
        total += np.float32(0.115) * vessels * left
        total -= airway * (np.float32(0.035) + np.float32(0.03) * shapes.mediastinum)
        total += self.dense
        total += np.float32(0.17) * _breasts(body, frame, anatomy) * (1 - np.float32(0.7) * belly)
        total -= _stomach(body, frame, anatomy)
        total *= 1 + np.float32(0.025) * piece("cloud", frame.size, texture)
        total += np.float32(0.011) * left * piece("mottle", frame.size, texture)
        return total


class ChestFinding(ABC):
    """One of the 14 findings in one patient. What it draws at random it draws when it is made.

    Attributes
    ----------
    name
        As in `FINDINGS`.
    """

    name: str

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.strength = float(rng.uniform(0.3, 1.0))

    def change(self, body: Body) -> Body:
        """Return the body as the finding changes it: a raised diaphragm, a larger heart, ..."""
        return body

    @abstractmethod
    def draw(self, scene: Scene) -> None:
        """Draw the finding, and note where it is."""

    def side(self, right: float = 0.5) -> int:
        """Choose a side."""
        return int(self.rng.random() >= right) if right < 1 else RIGHT


def _rind(shapes: Shapes, frame: Frame) -> Layer:
    """Return what the wall of the chest adds where the beam runs along it, float32 (S, S)."""
    away = np.abs(frame.x) - shapes.walls[0]
    rind = np.exp(-(((away - np.float32(0.025)) * np.float32(1 / 0.03)) ** 2))
    rind *= np.float32(0.045)
    apex = shapes.body.apex
    return rind * curve(frame.y, [(apex, 0), (apex + 0.25, 0.6), (0.1, 1), (0.9, 0.3)])


def _breasts(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Return the shadows of breasts, float32 (S, S): denser downwards, to a round lower edge."""
    low = max(body.domes) + rng.uniform(-0.22, 0.14) + rng.normal(0, 0.025, 2)
    wide, tall, middle = rng.uniform(0.28, 0.37), rng.uniform(0.16, 0.3), rng.uniform(0.16, 0.28)
    layer = np.zeros((frame.size, frame.size), np.float32)
    if body.breasts < 0.12:
        return layer
    wide = wide * (0.8 + 0.4 * body.breasts)
    for sign, bottom in zip(SIDES, low, strict=True):
        across = (frame.x - np.float32(sign * (body.half - middle))) * np.float32(1 / wide)
        arc = np.sqrt(np.clip(1 - across * across, 0, 1))
        up = np.float32(bottom) - np.float32(tall) * (1 - arc) - frame.y
        layer += step(up, 0.03) * np.exp(np.minimum(0, -up) * np.float32(1 / 0.33)) * arc * arc
    return layer * np.float32(0.35 + 0.65 * body.breasts)


def _stomach(body: Body, frame: Frame, rng: np.random.Generator) -> Layer:
    """Return the air below the left dome: a bubble over a level, and loops of bowel."""
    x, y = rng.uniform(0.28, 0.5), body.domes[1] + rng.uniform(0.07, 0.12)
    wide, high, level = rng.uniform(0.08, 0.17), rng.uniform(0.04, 0.09), rng.uniform(-0.2, 1.0)
    depth = rng.uniform(0, 0.16) * (rng.random() < 0.75)
    across, down = (frame.x - np.float32(x)) / np.float32(wide), (frame.y - np.float32(y)) / np.float32(high)
    bubble = np.clip((1 - across * across - down * down) * 2.5, 0, 1)
    bubble *= np.clip((np.float32(level) - down) * 6, 0, 1)
    air = np.float32(depth) * bubble
    if rng.random() < 0.4:
        place = np.exp(-(((frame.x - np.float32(0.4)) / 0.25) ** 2)) * (frame.y > body.domes[1] + 0.2)
        air = air + np.float32(0.06) * place * np.clip(piece("cloud", frame.size, rng) - 0.3, 0, 1.2)
    return air.astype(np.float32)

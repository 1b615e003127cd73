"""Findings with an outline of their own: in the pleura, round in the lungs, and those that change the chest."""

from dataclasses import replace

import numpy as np

from k2c.synthetic.canvas import curve, step
from k2c.synthetic.chest.body import LEFT, RIGHT, SIDES, Body, heart_edges
from k2c.synthetic.chest.scene import ChestFinding, Scene
from k2c.synthetic.texture import Layer, piece

CENTIMETRE = 0.054  # in halves of the film's side: a chest of 28 cm is about 1.5 wide


class Effusion(ChestFinding):
    """Fluid in the pleural space: it hides the angle and climbs along the wall; lying, it veils the lung."""

    name = "Effusion"

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        sides = (RIGHT, LEFT) if rng.random() < 0.4 else (self.side(),)
        self.level = {side: float(rng.beta(1.3, 2.2)) * 0.75 + 0.04 for side in sides}

    def draw(self, scene: Scene) -> None:
        """Draw the fluid."""
        frame, body = scene.frame, scene.body
        for side, level in self.level.items():
            away = np.clip(SIDES[side] * frame.x / np.float32(body.half), 0, 1)
            top = np.float32(body.domes[side] + 0.08 - level)
            rise = np.float32(0.22 + 0.1 * level) * away**5 - np.float32(0.05) * (1 - away) ** 2
            fluid = step(frame.y - (top - rise), 0.05 + 0.05 * body.supine) * (SIDES[side] * frame.x > 0)
            fraction = np.float32(0.93) * fluid
            if body.supine:
                veil = curve(frame.y, [(body.apex, 0.15), (body.domes[side], 0.5)])
                fraction = np.maximum(
                    fraction, veil * np.float32(self.strength) * (SIDES[side] * frame.x > 0)
                )
            scene.fill(self.name, fraction, side, seen=0.45)
            scene.dense += np.float32(0.13) * fluid * scene.shapes.lungs[side]


class Pneumothorax(ChestFinding):
    """Air between wall and lung: the lung's edge is a thin line, and outside it no vessel is seen."""

    name = "Pneumothorax"

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.which = self.side(0.55)

    def change(self, body: Body) -> Body:
        """Push the heart away when the air is under pressure."""
        push = -0.05 * max(0.0, self.strength - 0.6) * SIDES[self.which]
        return replace(body, shift=body.shift + push)

    def draw(self, scene: Scene) -> None:
        """Draw the gap and the edge of the lung."""
        frame, body, side = scene.frame, scene.body, self.which
        gap = 0.05 + 0.26 * self.strength
        down = [
            (body.apex, gap),
            (body.apex + 0.35, 0.75 * gap),
            (0.1, 0.55 * gap),
            (body.domes[side] + 0.2, 0.35 * gap),
        ]
        gone = curve(frame.y, down, 0.05) * (
            1 + np.float32(0.08) * np.sin(9 * frame.y + self.rng.uniform(0, 6))
        )
        edge = scene.shapes.walls[side] - gone
        cap = np.float32(body.apex + 0.85 * gap + 0.04)
        away = SIDES[side] * frame.x
        # A lung's tip is round: the distance to a curve that leaves the wall's shape at the top.
        bow = edge * np.sqrt(np.clip((frame.y - cap) / np.float32(0.35), 0, 1))
        inwards = np.minimum(edge, np.maximum(bow, np.float32(0.0)))
        free = step(away - inwards, 0.02) * (away > 0.05)
        lung = scene.shapes.lungs[side]
        scene.marking *= 1 - free
        scene.dense -= np.float32(0.06) * free * lung
        line = np.exp(-(((away - inwards) / np.float32(0.010)) ** 2)) * (inwards > 0.12)
        scene.dense += np.float32(0.09) * line * (lung > 0.05)
        squeezed = (1 - free) * np.float32(0.06 + 0.22 * self.strength**2)
        scene.fill("", squeezed * lung.astype(bool), side)
        scene.note(self.name, (free > 0.5) & (lung > 0.1))


class Thickening(ChestFinding):
    """A thickened pleura: a band along the wall, or a cap on the lung's tip; the angle is blunt."""

    name = "Pleural_Thickening"

    def draw(self, scene: Scene) -> None:
        """Draw the band."""
        rng, frame, body = self.rng, scene.frame, scene.body
        for side in (RIGHT, LEFT) if rng.random() < 0.35 else (self.side(),):
            cap = rng.random() < 0.4
            middle = body.apex + 0.12 if cap else rng.uniform(0.1, 0.5)
            reach = 0.2 if cap else rng.uniform(0.2, 0.45)
            width = (0.035 + 0.06 * self.strength) * (1.4 if cap else 1.0)
            thick = np.exp(-(((frame.y - np.float32(middle)) / np.float32(reach)) ** 4)) * np.float32(width)
            thick = thick * (1 + np.float32(0.25) * np.sin(14 * frame.y + rng.uniform(0, 6)))
            band = step(SIDES[side] * frame.x - (scene.shapes.walls[side] - thick), 0.02)
            if not cap:
                floor = scene.shapes.domes - frame.y < 0.06
                band = np.maximum(band, floor * step(SIDES[side] * frame.x - (body.half - 0.14), 0.08))
            band = band * (SIDES[side] * frame.x > 0)
            scene.fill(self.name, band * np.float32(0.6 + 0.3 * self.strength), side)
            scene.dense += np.float32(0.05) * band * (scene.shapes.lungs[side] > 0.02)


def _ball(scene: Scene, x: float, y: float, radius: float, rough: Layer | float = 0.0) -> Layer:
    """Return how thick a ball is, float32 (S, S), 0 to 1; `rough` moves its edge, in radii."""
    part = np.hypot(scene.frame.x - np.float32(x), scene.frame.y - np.float32(y)) / np.float32(radius)
    return np.sqrt(np.clip(1 - (part + rough) ** 2, 0, 1))


class Nodule(ChestFinding):
    """A round spot of less than 3 cm, sometimes several."""

    name = "Nodule"

    def draw(self, scene: Scene) -> None:
        """Draw the spots."""
        for _ in range(int(self.rng.choice([1, 2, 3, 5], p=[0.5, 0.25, 0.15, 0.1]))):
            side = self.side()
            x, y = scene.spot(self.rng, side, 0.15, 0.95)
            radius = CENTIMETRE * self.rng.uniform(0.5, 1.45)
            ball = _ball(scene, x, y, radius) * np.float32(0.4 + 0.35 * self.strength)
            scene.fill(self.name, ball, side, seen=0.1)
            scene.dense += np.float32(0.04) * ball * scene.shapes.inside(side)


class Mass(ChestFinding):
    """A round or lobed opacity of 3 cm or more."""

    name = "Mass"

    def draw(self, scene: Scene) -> None:
        """Draw it."""
        rng, side = self.rng, self.side()
        x, y = scene.spot(rng, side, 0.15, 0.9)
        radius = CENTIMETRE * (1.6 + 2.6 * rng.beta(1.2, 2.0))
        lobes = np.float32(0.12) * piece("cloud", scene.frame.size, rng)
        ball = _ball(scene, x, y, radius, lobes) * np.float32(0.6 + 0.3 * self.strength)
        scene.fill(self.name, ball, side, seen=0.1)
        scene.dense += np.float32(0.05) * ball * scene.shapes.inside(side)


class Hernia(ChestFinding):
    """Stomach that slid through the diaphragm: a round shadow behind the heart, often with air and a level."""

    name = "Hernia"

    def draw(self, scene: Scene) -> None:
        """Draw the wall of the stomach, its fluid and its air."""
        rng, body, frame = self.rng, scene.body, scene.frame
        radius = 0.11 + 0.11 * self.strength
        x, y = body.shift + rng.normal(0.04, 0.06), max(body.domes) - 0.5 * radius
        part = np.hypot((frame.x - np.float32(x)) / np.float32(1.25), frame.y - np.float32(y)) / np.float32(
            radius
        )
        inside = step(1 - part, 0.12)
        scene.fill("", np.float32(0.85) * inside)
        scene.dense += np.float32(0.035) * inside
        if rng.random() < 0.75:
            level = np.float32(y - rng.uniform(-0.25, 0.35) * radius)
            air = step(np.float32(0.88) - part, 0.1) * step(level - frame.y, 0.02)
            scene.dense -= np.float32(0.17) * air
        scene.note(self.name, inside > 0.5)


class Cardiomegaly(ChestFinding):
    """A heart wider than half the chest."""

    name = "Cardiomegaly"

    def change(self, body: Body) -> Body:
        """Widen the heart."""
        return replace(body, heart=body.heart * (1.2 + 0.35 * self.strength), upright=0.3 * body.upright)

    def draw(self, scene: Scene) -> None:
        """Note where the heart is."""
        left, right, top, _ = heart_edges(scene.body, scene.frame.y)
        x, y = scene.frame.x, scene.frame.y
        scene.note(self.name, (x < left) & (x > right) & (y > top) & (y < scene.shapes.domes))


class Emphysema(ChestFinding):
    """Overfilled lungs: dark, with few vessels, a low flat diaphragm and a narrow upright heart."""

    name = "Emphysema"

    def change(self, body: Body) -> Body:
        """Overfill the lungs."""
        low = 0.07 + 0.09 * self.strength
        return replace(
            body,
            domes=(body.domes[0] + low, body.domes[1] + low),
            depth=body.depth * (0.55 - 0.4 * self.strength),
            apex=body.apex - 0.02,
            half=body.half * 1.02,
            heart=body.heart * (0.93 - 0.12 * self.strength),
            upright=1.0,
            vessels=(0.7 * body.vessels[0], 0.8 * body.vessels[1]),
            air=body.air * (1.05 + 0.09 * self.strength),
        )

    def draw(self, scene: Scene) -> None:
        """Thin the vessels out towards the wall, and blow bubbles into the upper zones."""
        rng = self.rng
        outer = np.clip((np.abs(scene.frame.x) - 0.25) / 0.3, 0, 1)
        scene.marking *= 1 - np.float32(0.35 + 0.3 * self.strength) * outer
        for _ in range(int(rng.integers(0, 4))):
            side = self.side()
            x, y = scene.spot(rng, side, 0.05, 0.5)
            bulla = _ball(scene, x, y, rng.uniform(0.07, 0.16))
            scene.marking *= 1 - np.float32(0.9) * (bulla > 0)
            scene.dense -= np.float32(0.05) * bulla * scene.shapes.inside(side)
        scene.note(self.name, scene.shapes.air > 0.15)

"""Findings inside the lungs: what takes the place of air."""

from dataclasses import replace

import numpy as np

from k2c.synthetic.canvas import Canvas, blob, step
from k2c.synthetic.chest.body import LEFT, RIGHT, SIDES, Body, dome
from k2c.synthetic.chest.scene import ChestFinding, Scene
from k2c.synthetic.texture import Layer, piece


def _patch(
    scene: Scene, x: float, y: float, wide: float, high: float, rng: np.random.Generator, ragged: float = 0.35
) -> Layer:
    """Return a cloudy patch, float32 (S, S), 0 to 1, dense in the middle with a ragged edge."""
    cloud = blob(scene.frame, x, y, wide, high)
    cloud *= 1 + np.float32(ragged) * piece("cloud", scene.frame.size, rng)
    return np.clip(cloud, 0, 1)


def _bronchi(scene: Scene, x: float, y: float, rng: np.random.Generator) -> Layer:
    """Return airways that stay filled with air in solid lung, float32 (S, S): dark lines from the hilum."""
    canvas = Canvas(scene.frame)
    count = 5
    from_x, from_y = np.sign(x) * 0.16, -0.05
    part = np.linspace(0, 1.25, 6)
    ends_x, ends_y = x + rng.normal(0, 0.09, (count, 1)), y + rng.normal(0, 0.09, (count, 1))
    sway = 0.02 * np.sin(4 * part + rng.uniform(0, 6, (count, 1)))
    canvas.lines(
        from_x + (ends_x - from_x) * part,
        from_y + (ends_y - from_y) * part + sway,
        np.full(count, 0.008),
        np.ones(count),
    )
    return canvas.layer() * (blob(scene.frame, x, y, 0.14, 0.14) > 0.3)


class Infiltration(ChestFinding):
    """Ill-defined haze in patches, mostly in the lower and middle zones, often on both sides."""

    name = "Infiltration"

    def draw(self, scene: Scene) -> None:
        """Draw the patches."""
        rng = self.rng
        both, first = rng.random() < 0.55, self.side()
        haze = np.zeros_like(scene.filled)
        for number in range(int(rng.integers(2, 5))):
            side = (first + number) % 2 if both else first
            x, y = scene.spot(rng, side, 0.35, 0.95)
            wide, high = rng.uniform(0.09, 0.17), rng.uniform(0.09, 0.17)
            haze += _patch(scene, x, y, wide, high, rng, 0.5)
        streaks = 1 + np.float32(0.13) * piece("mottle", scene.frame.size, rng)
        scene.fill(
            self.name, np.clip(haze * streaks * np.float32(0.28 + 0.35 * self.strength), 0, 0.75), seen=0.15
        )


class Consolidation(ChestFinding):
    """Solid lung, even and dense, with airways seen in it; it may end sharply at a fissure."""

    name = "Consolidation"
    density = (0.6, 0.92)
    size = (0.13, 0.24)

    def draw(self, scene: Scene) -> None:
        """Draw one region, seldom two."""
        rng = self.rng
        for _ in range(1 + (rng.random() < 0.3)):
            side = self.side(0.55)
            upper = side == RIGHT and rng.random() < 0.35
            x, y = scene.spot(rng, side, 0.2, 0.45) if upper else scene.spot(rng, side, 0.5, 0.95)
            wide, high = rng.uniform(*self.size), rng.uniform(*self.size)
            region = 1 - np.exp(-((np.float32(1.7) * _patch(scene, x, y, wide, high, rng, 0.3)) ** 2.5))
            if upper:  # the right upper lobe ends at the horizontal fissure
                region = region * step(np.float32(0.02 + y + 0.6 * high) - scene.frame.y, 0.03)
            region *= 1 - np.float32(0.3) * _bronchi(scene, x, y, rng)
            low, high_density = self.density
            scene.fill(self.name, region * np.float32(low + (high_density - low) * self.strength), side)


class Pneumonia(ChestFinding):
    """Patches of solid lung that run together, with haze around them, in a lobe or two."""

    name = "Pneumonia"

    def draw(self, scene: Scene) -> None:
        """Draw a core of consolidation and its surroundings."""
        rng = self.rng
        for side in (RIGHT, LEFT) if rng.random() < 0.3 else (self.side(0.55),):
            x, y = scene.spot(rng, side, 0.45, 0.95)
            fraction = np.zeros_like(scene.filled)
            for _ in range(4):
                near_x, near_y = x + rng.normal(0, 0.09), y + rng.normal(0, 0.09)
                wide, high = rng.uniform(0.06, 0.11), rng.uniform(0.06, 0.11)
                fraction += np.float32(0.6) * _patch(scene, near_x, near_y, wide, high, rng, 0.5)
            fraction += np.float32(0.3) * blob(scene.frame, x, y, 0.22, 0.22)
            fraction *= 1 - np.float32(0.25) * _bronchi(scene, x, y, rng)
            scene.fill(self.name, np.clip(fraction * np.float32(0.5 + 0.45 * self.strength), 0, 0.85), side)


class Edema(ChestFinding):
    """Fluid around the hila like a bat's wings, wide upper vessels, fine lines at the base, a larger heart."""

    name = "Edema"

    def change(self, body: Body) -> Body:
        """Widen vessels and heart."""
        return replace(
            body,
            vessels=(1.7, 1.4),
            heart=body.heart * (1.04 + 0.1 * self.strength),
            pedicle=body.pedicle * 1.12,
        )

    def draw(self, scene: Scene) -> None:
        """Draw the wings and the lines."""
        rng = self.rng
        wings = np.zeros_like(scene.filled)
        for sign in SIDES:
            wings += blob(scene.frame, sign * 0.32, 0.02 + rng.normal(0, 0.04), 0.19, 0.27)
        wings *= 1 + np.float32(0.35) * piece("cloud", scene.frame.size, rng)
        wings *= 1 + np.float32(0.12) * piece("mottle", scene.frame.size, rng)
        fraction = np.clip(wings * np.float32(0.35 + 0.4 * self.strength), 0, 0.85) + np.float32(0.08)
        scene.fill(self.name, fraction, seen=0.2)
        canvas = Canvas(scene.frame)
        for side, sign in enumerate(SIDES):  # Kerley's B lines: short, level, at the edge
            y = scene.body.domes[side] + 0.1 - 0.035 * np.arange(7)[:, None] + rng.normal(0, 0.006, (7, 1))
            x = sign * (scene.body.half - 0.02 - rng.uniform(0.06, 0.1, (7, 1)) * np.array([0.0, 1.0]))
            canvas.lines(x, np.repeat(y, 2, axis=1), np.full(7, 0.004), np.full(7, 0.8))
        scene.dense += np.float32(0.07 * self.strength) * canvas.layer() * scene.shapes.air


class Fibrosis(ChestFinding):
    """A net of scars at the edges and bases (or the tips) of the lungs, which have shrunk."""

    name = "Fibrosis"

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.apical = bool(rng.random() < 0.35)

    def change(self, body: Body) -> Body:
        """Raise the diaphragm, or pull the hila up."""
        rise = 0.0 if self.apical else 0.05 * self.strength
        return replace(body, domes=(body.domes[0] - rise, body.domes[1] - rise))

    def draw(self, scene: Scene) -> None:
        """Draw the net: lines where a random field crosses zero, on a faint haze."""
        frame, body = scene.frame, scene.body
        net = np.exp(-((piece("mottle", frame.size, self.rng) / np.float32(0.35)) ** 2))
        centre = body.apex + 0.15 if self.apical else max(body.domes) - 0.02
        zone = np.exp(-(((frame.y - np.float32(centre)) / np.float32(0.28)) ** 2))
        outer = np.clip((np.abs(frame.x) - 0.2) / 0.3, 0.15, 1)
        zone = zone * (np.float32(0.7) if self.apical else outer)
        zone = zone * np.clip(1 + np.float32(0.4) * piece("cloud", frame.size, self.rng), 0, 2)
        amount = np.float32(0.35 + 0.5 * self.strength)
        scene.fill(
            self.name, np.clip(amount * zone * (np.float32(0.35) + np.float32(0.6) * net), 0, 0.9), seen=0.25
        )


class Atelectasis(ChestFinding):
    """Airless lung takes less room: plates at the base, or a collapsed lobe; diaphragm and heart move there."""

    name = "Atelectasis"

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.lobar = bool(rng.random() < 0.4)
        self.which = self.side(0.45)

    def change(self, body: Body) -> Body:
        """Raise the dome of that side and shift the heart towards it."""
        rise = (0.05 + 0.07 * self.strength) * (1.3 if self.lobar else 1.0)
        domes = tuple(level - rise * (side == self.which) for side, level in enumerate(body.domes))
        shift = SIDES[self.which] * (0.03 if self.lobar else 0.01) * self.strength
        return replace(body, domes=(domes[0], domes[1]), shift=body.shift + shift)

    def draw(self, scene: Scene) -> None:
        """Draw plates, or a wedge beside the heart."""
        if self.lobar:
            self._wedge(scene)
        else:
            self._plates(scene)

    def _plates(self, scene: Scene) -> None:
        rng, sign, body = self.rng, SIDES[self.which], scene.body
        canvas = Canvas(scene.frame)
        for _ in range(int(rng.integers(1, 4))):
            start = rng.uniform(0.2, 0.4)
            across = start + np.linspace(0, rng.uniform(0.2, 0.36), 6)
            base = float(dome(body, start + 0.1, self.which)) - rng.uniform(0.05, 0.26)
            down = base + rng.normal(0, 0.25) * (across - start) + 0.02 * np.sin(6 * across)
            canvas.bands(sign * across, down, rng.uniform(0.009, 0.022), 1.0)
        plates = canvas.layer()
        haze = blob(scene.frame, sign * 0.42, body.domes[self.which], 0.2, 0.10)
        amount = np.float32(0.4 + 0.4 * self.strength)
        scene.fill(self.name, np.clip(amount * (plates + np.float32(0.55) * haze), 0, 0.9), self.which)

    def _wedge(self, scene: Scene) -> None:
        rng, sign, body = self.rng, SIDES[self.which], scene.body
        frame = scene.frame
        away = sign * frame.x
        if self.which == RIGHT and rng.random() < 0.4:  # the upper lobe folds up against the mediastinum
            edge = np.float32(body.apex + 0.34) - np.float32(0.55) * (away - 0.1)
            wedge = step(edge - frame.y, 0.03) * (away > 0)
        else:  # the lower lobe lies as a triangle beside the spine
            edge = (frame.y + np.float32(0.15)) * np.float32(rng.uniform(0.55, 0.8)) + np.float32(0.08)
            wedge = step(edge - away, 0.03) * step(frame.y + np.float32(0.1), 0.3) * (away > 0)
            scene.dense += np.float32(0.05) * wedge * scene.shapes.heart
        scene.fill(self.name, wedge * np.float32(0.6 + 0.35 * self.strength), self.which)

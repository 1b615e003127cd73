"""The traits of a chest, and the shapes of lungs, diaphragm, heart and mediastinum that follow from them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from k2c.synthetic.canvas import Frame, Points, curve, step
from k2c.synthetic.texture import Layer

RIGHT, LEFT = 0, 1  # the patient's sides: right is on the left of the image
SIDES = (-1, 1)  # the sign of x there
SPINE = 0.085  # half the width of a vertebra


@dataclass(frozen=True)
class Body:
    """Traits of a chest on one film, in halves of the film's side (see `Frame`).

    Attributes
    ----------
    half
        Half the width of the lungs where they are widest.
    apex
        Where the lungs begin, y.
    domes
        Tops of the diaphragm, y: right, left.
    depth
        How far the angle between ribs and diaphragm lies below the dome.
    heart
        Width of the heart; 1 is usual.
    upright
        1 for a long, narrow heart, 0 for a broad one that lies on the diaphragm.
    pedicle
        Width of the great vessels; 1 is usual.
    knob
        How far the arch of the aorta stands out; 1 is usual.
    shift
        Of heart and trachea towards the patient's left.
    fat
        Soft tissue outside the ribs.
    axilla
        Where the flank begins below the arm, y.
    breasts
        0 for none, 1 for large ones.
    bone
        How much the bones absorb; 1 is usual.
    vessels
        How wide the lungs' vessels are: upper, lower half; 1 is usual.
    air
        How dark the lungs are; 1 is usual.
    supine
        Taken from the front, lying or half sitting.
    """

    half: float = 0.76
    apex: float = -0.75
    domes: tuple[float, float] = (0.44, 0.49)
    depth: float = 0.23
    heart: float = 1.0
    upright: float = 0.5
    pedicle: float = 1.0
    knob: float = 1.0
    shift: float = 0.0
    fat: float = 0.12
    axilla: float = -0.1
    breasts: float = 0.0
    bone: float = 1.0
    vessels: tuple[float, float] = (1.0, 1.0)
    air: float = 1.0
    supine: bool = False


def make_body(sex: str, age: int, rng: np.random.Generator) -> Body:
    """Draw a patient."""
    dome = rng.normal(0.41, 0.07)
    half = rng.normal(0.755, 0.03) - 0.02 * (sex == "F")
    return Body(
        half=half,
        apex=rng.normal(-0.76, 0.03),
        domes=(dome, dome + rng.normal(0.045, 0.025)),
        depth=rng.uniform(0.16, 0.25),
        heart=rng.normal(1.03, 0.07),
        upright=float(np.clip(rng.normal(0.65 - age / 250, 0.25), 0, 1)),
        pedicle=rng.normal(0.95 + age / 600, 0.08),
        knob=float(np.clip(rng.normal(age / 48, 0.3), 0.2, 2.0)),
        shift=rng.normal(0, 0.012),
        fat=float(np.clip(rng.gamma(4, 0.035), 0.04, 0.32)),
        axilla=float(np.clip(rng.normal(-0.1, 0.12), -0.35, 0.15)),
        breasts=float(np.clip(rng.normal(0.5, 0.3), 0, 1)) if sex == "F" else 0.0,
        bone=float(np.clip(rng.normal(1.12 - age / 300, 0.12), 0.6, 1.5)),
        vessels=(rng.uniform(0.75, 1.0), rng.uniform(0.9, 1.15)),
        air=rng.normal(1.0, 0.05),
    )


def positioned(body: Body, view: str, rng: np.random.Generator) -> Body:
    """Place a patient before the detector: breathing in, and lying or sitting for a film from the front (AP)."""
    breath = rng.normal(0, 0.03)
    shift = body.shift + rng.normal(0, 0.012)
    if view == "AP":  # the heart lies far from the film and is enlarged, the diaphragm stands high
        breath -= rng.normal(0.11, 0.06)
        body = replace(
            body,
            supine=True,
            heart=body.heart * rng.normal(1.12, 0.04),
            pedicle=body.pedicle * rng.normal(1.18, 0.06),
            upright=body.upright * 0.6,
            vessels=(min(1.1, body.vessels[0] * 1.15), body.vessels[1]),
        )
    domes = (body.domes[0] + breath, body.domes[1] + breath)
    return replace(body, domes=domes, shift=shift)


class Shapes:
    """The shapes of a chest on the grid of a film.

    Attributes
    ----------
    walls
        The inner edge of the ribs for each row, |x|: right, left, float32 (S, 1).
    domes
        The diaphragm for each column, y, float32 (1, S).
    depth_of
        How far inside the lung's edge each pixel is, 0 at the edge and 1 in its middle, float32 (S, S).
    lungs
        How much air lies in the way, 0 to 1: right, left, float32 (S, S).
    heart
        How much of it does, 0 to 1, float32 (S, S).
    mediastinum
        The same for the great vessels above it.
    """

    def __init__(self, body: Body, frame: Frame) -> None:
        self.body, self.frame = body, frame
        self.walls = tuple(np.asarray(wall(body, frame.y), np.float32) for _ in SIDES)
        left = step(frame.x, 0.3)
        domes = (1 - left) * dome(body, frame.x, RIGHT) + left * dome(body, frame.x, LEFT)
        self.domes = domes.astype(np.float32)
        self.outside = self._outside()
        self.heart, self.mediastinum = self._heart(), self._mediastinum()
        air = self._air()
        middle = frame.x < np.float32(body.shift * 0.6)
        self.lungs = (air * middle, air * ~middle)

    @property
    def air(self) -> Layer:
        """Both lungs, float32 (S, S)."""
        return self.lungs[RIGHT] + self.lungs[LEFT]

    def inside(self, side: int) -> NDArray[np.bool_]:
        """Return which pixels a lung covers (with what lies before and behind it), bool (S, S)."""
        return self.lungs[side] > 0.12

    def _air(self) -> Layer:
        frame, body = self.frame, self.body
        away = np.abs(frame.x - np.float32(body.shift * 0.6))
        outer, inner = self.walls[0], inner_edge(body, frame.y)
        middle, reach = (outer + inner) / 2, np.maximum((outer - inner) / 2, np.float32(0.01))
        part = np.clip((away - middle) / reach, -1.2, 1.2)
        part *= part
        thick = np.sqrt(np.clip(1 - part**2, 0, 1))
        thick *= step(self.domes - frame.y, 0.022) * step(outer - inner - np.float32(0.06), 0.08)
        thick *= curve(
            frame.y,
            [
                (body.apex - 0.02, 0),
                (body.apex + 0.05, 0.5),
                (-0.3, 0.95),
                (0.0, 0.97),
                (0.3, 0.76),
                (0.7, 0.5),
            ],
            0.03,
        )
        return thick

    def _heart(self) -> Layer:
        frame, body = self.frame, self.body
        left, right, top, bottom = heart_edges(body, frame.y)
        middle, reach = (left + right) / 2, np.maximum((left - right) / 2, np.float32(0.02))
        part = (frame.x - middle) / reach
        inside = (
            step(1 - np.abs(part), 0.05)
            * step(frame.y - np.float32(top + 0.12), 0.3)
            * step(bottom - frame.y, 0.10)
        )
        return inside * (np.float32(0.62) + np.float32(0.38) * np.sqrt(np.clip(1 - part * part, 0, 1)))

    def _mediastinum(self) -> Layer:
        frame, body = self.frame, self.body
        left, right = vessel_edges(body, frame.y)
        inside = step(left - frame.x, 0.03) * step(frame.x - right, 0.045)
        return inside * curve(frame.y, [(-0.95, 0.2), (-0.45, 1), (-0.1, 1), (0.3, 0.4)], 0.05)

    def _outside(self) -> Layer:
        """Return the soft tissue's thickness: 0 in the air beside the patient, about 1 at the height of the heart."""
        frame, body = self.frame, self.body
        skin = body_edge(body, frame.y)
        part = np.clip(np.abs(frame.x) / skin, 0, 1)
        part *= part
        deep = curve(frame.y, [(-1.1, 0.5), (-0.75, 0.72), (-0.4, 0.91), (0.1, 1.0), (1, 1.1)], 0.05)
        return deep * np.sqrt(np.clip(1 - part * part, 0, 1))


def wall(body: Body, y: ArrayLike) -> Points:
    """Return the inner edge of the ribs, |x|, at the heights y."""
    widest, y = 0.45, np.asarray(y)
    up = np.clip((widest - y) / (widest - body.apex), 0, 1)
    return 0.27 + (body.half - 0.27) * np.sqrt(np.clip(1 - up**2.3, 0, 1)) - 0.04 * np.clip(y - widest, 0, 1)


def inner_edge(body: Body, y: Layer) -> Layer:
    """Return where the lung ends towards the spine, |x|."""
    up = np.clip((0.1 - y) / (0.1 - body.apex), 0, 1)
    return (0.27 - 0.19 * np.sqrt(np.clip(1 - up**7, 0, 1))).astype(np.float32)


def dome(body: Body, x: ArrayLike, side: int) -> Points:
    """Return the height of the diaphragm of one side at the places x."""
    away = np.abs(x)
    peak = 0.36 if side == RIGHT else 0.42
    outwards = np.clip((away - peak) / max(body.half - peak, 0.1), 0, 1)
    inwards = np.clip(peak - away, 0, None) / peak
    return body.domes[side] + body.depth * outwards**2 + 0.4 * body.depth * inwards**2


def heart_edges(body: Body, y: Layer) -> tuple[Layer, Layer, float, Layer]:
    """Return the heart's left and right edge for each row (x), its top (y), and its floor."""
    wide = body.heart
    low = max(body.domes[1], 0.2)
    tall = 1.0 + 0.1 * (body.upright - 0.5)
    top = low - 0.66 * tall

    def at(part: float) -> float:
        return top + part * (low + 0.06 - top)

    apex = 0.49 - 0.11 * body.upright
    left = [
        (at(0), 0.125),
        (at(0.15), 0.19),
        (at(0.3), 0.235),
        (at(0.5), 0.3 + 0.4 * (apex - 0.38)),
        (at(0.7), 0.86 * apex),
        (at(0.9), apex),
        (at(1.1), 0.9 * apex),
    ]
    right = [(at(0), 0.09), (at(0.3), 0.125), (at(0.5), 0.16), (at(0.75), 0.185), (at(1.05), 0.165)]
    scale = np.float32(wide)
    edges = [curve(y, points, 0.05) * scale for points in (left, right)]
    move = np.float32(body.shift)
    return edges[0] + move, move - edges[1], top, np.float32(at(1.12)) + 0 * y


def vessel_edges(body: Body, y: Layer) -> tuple[Layer, Layer]:
    """Return the left and right edge of the great vessels for each row (x)."""
    wide, knob = body.pedicle, 0.042 * body.knob
    arch = -0.36 + 0.02 * (1 - body.knob)
    left = [
        (-1.2, 0.085), (-0.62, 0.09), (arch - 0.08, 0.095), (arch - 0.045, 0.105 + 0.75 * knob), (arch, 0.11 + knob),
        (arch + 0.05, 0.105 + 0.75 * knob), (arch + 0.09, 0.11), (-0.20, 0.15), (-0.08, 0.15),
        (0.1, 0.13), (1.2, 0.11),
    ]  # fmt: skip
    right = [(-1.2, 0.085), (-0.55, 0.095), (-0.3, 0.11), (-0.1, 0.13), (0.1, 0.11), (1.2, 0.10)]
    move, scale = np.float32(body.shift), np.float32(wide)
    return curve(y, left, 0.02) * scale + move, move - curve(y, right, 0.03) * scale


def body_edge(body: Body, y: Layer) -> Layer:
    """Return the skin for each row, |x|: neck, shoulders, and the flank below the arm."""
    flank = body.half + body.fat + 0.06
    shoulder = max(flank + 0.35, 1.25)
    neck = 0.24 + 0.35 * body.fat
    line = [
        (-1.3, neck),
        (-1.0, neck + 0.02),
        (-0.88, neck + 0.12),
        (-0.72, shoulder - 0.35),
        (-0.57, shoulder),
    ]
    line += [(body.axilla - 0.2, shoulder), (body.axilla, flank + 0.09), (body.axilla + 0.14, flank)]
    line += [(0.9, flank + 0.02 + 0.3 * body.fat)]
    return curve(y, line, 0.03)

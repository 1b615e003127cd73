"""The vessel tree of a retina: arcades that curve round the macula, branches that taper, arteries and veins."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from k2c.synthetic.canvas import Points

STEP = 0.3  # degrees between two points of a vessel
THINNEST = 0.035  # radius in degrees
CELL = 0.4  # degrees: two vessels of a kind closer than that touch, and the later one ends there
HALF = 45.0  # degrees from the fovea to the edge of what is grown
CELLS = int(2 * HALF / CELL)
STEPS = (125, 80, 33)  # points of a vessel at most, by order
LONG = 1 << 15  # points of the curve that all vessels take their swaying from
VEIN, ARTERY = 0.25, 0.195  # radius of the largest, degrees
UP, DOWN = -1, 1
# Vessels that leave the disc. Side (0: by chance); headings at the start and later, at least and at most, in
# degrees from the vertical towards the temple; within how many degrees of way they turn; width; length.
ROOTS = (
    (UP, 8, 20, 82, 102, 10.5, 16, 1.0, 40),  # the arcades
    (DOWN, 8, 20, 82, 102, 10.5, 16, 1.0, 40),
    (UP, -19, -9, -58, -22, 5, 9, 0.72, 20),
    (DOWN, -19, -9, -58, -22, 5, 9, 0.72, 20),
    (0, -88, -60, -100, -70, 4, 6, 0.42, 13),
    (0, -88, -60, -100, -70, 4, 6, 0.42, 13),
    (0, 40, 75, 86, 97, 3, 5, 0.40, 13),  # to the macula
)


@dataclass(frozen=True)
class Vessels:
    """All vessels of an eye: V vessels of up to T points.

    Attributes
    ----------
    x, y
        Degrees from the fovea, towards the nose and downwards, (V, T).
    heading
        Direction in radians, (V, T).
    radius
        Degrees, (V, T); 0 where the vessel has ended.
    vein
        (V,): vein or artery.
    order
        (V,): 0 leaves the optic disc, 1 branches from 0, and so on.
    """

    x: Points
    y: Points
    heading: Points
    radius: Points
    vein: np.ndarray
    order: np.ndarray


class Seeds(NamedTuple):
    """Where new vessels begin, (V,) each: place, headings at the start and after `turn` degrees, radius, length."""

    x: Points
    y: Points
    heading: Points
    target: Points
    turn: Points
    radius: Points
    length: Points
    vein: np.ndarray
    parent: np.ndarray


def steps(way: float) -> int:
    """Return the number of points on that many degrees of way."""
    return round(way / STEP)


def grow(
    disc: tuple[float, float],
    tortuosity: float,
    width: float,
    seen: tuple[float, float, float],
    rng: np.random.Generator,
) -> Vessels:
    """Grow the tree from the optic disc.

    Parameters
    ----------
    disc
        Centre of the optic disc in degrees from the fovea.
    tortuosity
        1 is usual; 2 winds.
    width
        1 is usual.
    seen
        The middle of the field of view and its radius, degrees: vessels are followed as far as that.
    rng
        Decides everything else.
    """
    taken = np.full(2 * CELLS * CELLS, -1, np.int32)
    fovea_free = rng.uniform(1.4, 2.4)
    orders: list[Vessels] = []
    seeds, count = _roots(disc, width, rng), 0
    for order, points in enumerate(STEPS):
        grown = _follow(seeds, order, points, tortuosity, fovea_free, seen, rng)
        _end_where_they_meet(grown, seeds.parent, count, taken)
        orders.append(grown)
        if order + 1 < len(STEPS):
            seeds = _branches(grown, count, order, rng)
        count += len(grown.vein)
    return _together(orders)


@lru_cache(maxsize=1)
def _sways() -> Points:
    """Return a long random curve of headings, float32, that sways over 2 to 16 degrees of way, in radians."""
    rng = np.random.default_rng(1851)
    cycles = np.fft.rfftfreq(LONG, STEP)
    bands = ((1 / 16, 1 / 7, 0.20), (1 / 7, 1 / 3.5, 0.12), (1 / 3.5, 1 / 2, 0.05))
    curve = np.zeros(LONG)
    for low, high, amount in bands:
        spectrum = rng.standard_normal(len(cycles)) + 1j * rng.standard_normal(len(cycles))
        part = np.fft.irfft(spectrum * ((cycles >= low) & (cycles < high)), LONG)
        curve += amount * part / part.std()
    return curve.astype(np.float32)


def _roots(disc: tuple[float, float], width: float, rng: np.random.Generator) -> Seeds:
    """Vessels that leave the disc: a vein and an artery for each quarter, and small ones to both sides."""
    rows = np.repeat(np.array(ROOTS), 2, axis=0)  # each for a vein and for an artery
    count = len(rows)
    vein = np.arange(count) % 2 == 0
    fixed, start_low, start_high, end_low, end_high, turn_low, turn_high, size, length = rows.T
    side = np.where(fixed == 0, rng.choice([UP, DOWN], count), fixed)
    lean = np.where(vein, 1, -1) * rng.uniform(-6, 6)  # artery and vein of a pair lie beside one another
    return _seeds(
        x=disc[0] + 0.35 + rng.normal(0, 0.28, count),
        y=disc[1] + 0.25 * side + rng.normal(0, 0.3, count),
        heading=_compass(rng.uniform(start_low, start_high) + lean, side),
        target=_compass(rng.uniform(end_low, end_high), side),
        turn=rng.uniform(turn_low, turn_high),
        radius=size * width * np.where(vein, VEIN, ARTERY) * rng.uniform(0.88, 1.08, count),
        length=length * rng.uniform(0.8, 1.1, count),
        vein=vein,
        parent=np.full(count, -1),
    )


def _seeds(**values: np.ndarray) -> Seeds:
    exact = ("vein", "parent")
    return Seeds(**{k: v if k in exact else v.astype(np.float32) for k, v in values.items()})


def _compass(from_vertical: Points, side: Points) -> Points:
    """Turn degrees from the vertical (up or down) towards the temple into a heading, without a jump at 180."""
    angle = np.deg2rad(from_vertical)
    return np.where(side < 0, -np.pi / 2 - angle, np.pi / 2 + angle)


def _follow(
    seeds: Seeds,
    order: int,
    points: int,
    tortuosity: float,
    fovea_free: float,
    seen: tuple[float, float, float],
    rng: np.random.Generator,
) -> Vessels:
    """Let vessels run their course: from one heading to another, swaying."""
    way = np.arange(points, dtype=np.float32) * np.float32(STEP)
    count = len(seeds.x)
    start = rng.integers(LONG - points, size=(count, 1))
    sway = _sways()[start + np.arange(points)]
    fraction = way / seeds.turn[:, None]
    remaining = np.exp(-fraction * np.sqrt(fraction))
    swaying = (sway - sway[:, :1] * remaining) * np.float32(tortuosity * (0.85, 1.1, 1.3)[order])
    heading = seeds.target[:, None] + (seeds.heading - seeds.target)[:, None] * remaining + swaying
    x = seeds.x[:, None] + np.cumsum(np.cos(heading), axis=1) * np.float32(STEP)
    y = seeds.y[:, None] + np.cumsum(np.sin(heading), axis=1) * np.float32(STEP)
    part = way / seeds.length[:, None]
    radius = seeds.radius[:, None] * (1 - 0.5 * part) * (1 + 0.12 * sway)
    radius *= np.minimum(1, 0.3 + 4 * (1 - part))  # the last bit runs out
    near = (x - seen[0]) ** 2 + (y - seen[1]) ** 2 < np.float32(seen[2] ** 2)
    ended = (part >= 1) | (x * x + y * y < np.float32(fovea_free**2)) | ~near
    ended[:, : steps(1)] = False  # what leaves the disc may start out of view
    radius[np.logical_or.accumulate(ended, axis=1)] = 0
    np.maximum(radius, THINNEST, out=radius, where=radius > 0)
    return Vessels(x, y, heading, radius, seeds.vein, np.full(count, order))


def _end_where_they_meet(grown: Vessels, parents: np.ndarray, first: int, taken: np.ndarray) -> None:
    """End vessels that run into another of their kind: veins cross arteries, but never veins.

    Parameters
    ----------
    grown
        Vessels of one order; they are shortened in place.
    parents
        Numbers of the vessels that they leave.
    first
        Number of the first of them.
    taken
        Which vessel lies in a cell, or -1; a grid for arteries and one for veins, flat. Changed in place.
    """
    vessel, at = np.nonzero(grown.radius > 0)
    column = ((grown.x[vessel, at] + HALF) * (1 / CELL)).astype(np.int32)
    row = ((grown.y[vessel, at] + HALF) * (1 / CELL)).astype(np.int32)
    cell = (grown.vein[vessel] * CELLS + row) * CELLS + column
    points = np.arange(grown.x.shape[1])
    ends = np.full(len(parents), len(points))
    for _ in range(2):  # a cell keeps the last that came: the others of the same order end there
        found = taken[cell]
        meets = (found >= 0) & (found != vessel + first) & (found != parents[vessel]) & (at >= 1 / STEP)
        if first:
            np.minimum.at(ends, vessel[meets], at[meets])
        kept = at < ends[vessel]
        vessel, at, cell = vessel[kept], at[kept], cell[kept]
        taken[cell] = vessel + first
    shortened = np.flatnonzero(ends < len(points))
    left = (ends[shortened, None] - points) * np.float32(STEP / 4)  # they thin out over four degrees
    grown.radius[shortened] *= np.where(left > 0, np.clip(left, 0.25, 1), 0)


def _branches(grown: Vessels, first: int, order: int, rng: np.random.Generator) -> Seeds:
    """Choose where the next order of vessels leaves these, and where to."""
    apart = (3.0, 2.8)[order]
    count = len(grown.vein)
    most = int(grown.x.shape[1] * STEP / apart)
    place = (1.6 if order else 2.6) + (np.arange(most) + rng.uniform(0, 0.9, (count, most))) * apart
    at = (place / STEP).astype(int).clip(0, grown.x.shape[1] - 1)
    vessel = np.broadcast_to(np.arange(count)[:, None], at.shape)
    side = np.where((np.arange(most) + rng.integers(0, 2, (count, 1))) % 2, 1.0, -1.0)
    side *= np.where(rng.random(side.shape) < 0.25, -1, 1)
    kept = grown.radius[vessel, at] > (0.06, 0.05)[order]
    vessel, at, side = vessel[kept], at[kept], side[kept]
    x, y, heading = grown.x[vessel, at], grown.y[vessel, at], grown.heading[vessel, at]
    ratio = rng.uniform(0.36, 0.66, len(at))
    if order == 0:  # the trunks fork near the disc, and the outer arm is nearly as thick
        forks = (at * STEP < 12) & (rng.random(len(at)) < 0.5) & (grown.radius[vessel, 0] > 0.15)
        ratio = np.where(forks, rng.uniform(0.68, 0.85, len(at)), ratio)
    angle = rng.uniform(0.5, 1.15, len(at)) * (1.25 - 0.6 * ratio)
    target = heading + side * angle * rng.uniform(0.0, 0.8, len(at)) + rng.normal(0, 0.2, len(at))
    target = _towards_fovea(x, y, heading + side * angle, target, rng)
    radius = grown.radius[vessel, at] * ratio
    length = (radius * 150 * rng.uniform(0.6, 1.3, len(at))).clip(3.5, 25)
    turn = rng.uniform(2.0, 6.0, len(at))
    start, own, parent = heading + side * angle, grown.vein[vessel], vessel + first
    return _seeds(
        x=x,
        y=y,
        heading=start,
        target=target,
        turn=turn,
        radius=radius,
        length=length,
        vein=own,
        parent=parent,
    )


def _towards_fovea(x: Points, y: Points, heading: Points, target: Points, rng: np.random.Generator) -> Points:
    """Bend the target of branches that set out into the macula towards its middle, as they supply it."""
    inwards = np.arctan2(rng.normal(0, 2.5, len(x)) - y, rng.normal(0, 2.5, len(x)) - x)
    off = (inwards - heading + np.pi) % (2 * np.pi) - np.pi
    distance = np.hypot(x, y)
    macular = (np.abs(off) < 1.1) & (distance < 13)
    return np.where(macular, heading + 0.75 * off, target)


def _together(orders: list[Vessels]) -> Vessels:
    longest = max(part.x.shape[1] for part in orders)
    together = np.zeros((4, sum(len(part.vein) for part in orders), longest), np.float32)
    first = 0
    for part in orders:
        window = together[:, first : first + len(part.vein), : part.x.shape[1]]
        for values, whole in zip((part.x, part.y, part.heading, part.radius), window, strict=True):
            whole[:] = values
        first += len(part.vein)
    vein, order = (np.concatenate([getattr(part, name) for part in orders]) for name in ("vein", "order"))
    x, y, heading, radius = together
    return Vessels(x, y, heading, radius, vein, order)

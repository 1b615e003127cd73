"""Lesions of diabetic retinopathy: what an eye of each grade has, where, and how it is drawn."""

from dataclasses import dataclass, replace

import numpy as np

from k2c.synthetic.canvas import Points
from k2c.synthetic.fundus.vessels import STEP, Vessels, steps

LESIONS = (
    "microaneurysm",
    "haemorrhage",
    "exudate",
    "cotton_wool",
    "venous_beading",
    "new_vessels",
    "preretinal",
)
# How many an eye of grade 0, 1, 2, 3 and 4 has, at least and at most. Exudates: clusters of dots.
COUNTS: dict[str, tuple[tuple[int, int], ...]] = {
    "microaneurysm": ((0, 0), (1, 6), (2, 10), (12, 28), (14, 30)),
    "haemorrhage": ((0, 0), (0, 0), (1, 6), (20, 40), (22, 42)),
    "exudate": ((0, 0), (0, 0), (0, 2), (0, 4), (1, 4)),
    "cotton_wool": ((0, 0), (0, 0), (0, 2), (1, 4), (1, 4)),
    "venous_beading": ((0, 0), (0, 0), (0, 0), (2, 4), (2, 5)),
    "new_vessels": ((0, 0), (0, 0), (0, 0), (0, 0), (1, 3)),
    "preretinal": ((0, 0), (0, 0), (0, 0), (0, 0), (0, 1)),
}


@dataclass(frozen=True)
class Marks:
    """What is drawn of one kind of lesion: N soft discs, of which each lesion takes one or more.

    Attributes
    ----------
    x, y, radius, soft
        Degrees, (N,).
    value
        0 to 1, (N,).
    count
        Number of lesions.
    """

    x: Points
    y: Points
    radius: Points
    soft: Points
    value: Points
    count: int


def place_lesions(
    grade: int, seed: int, contrast: float, disc: tuple[float, float], vessels: Vessels
) -> tuple[dict[str, Marks], Vessels]:
    """Decide on the lesions of an eye.

    Parameters
    ----------
    grade
        0 to 4.
    seed
        Decides the rest; of two grades with the same seed, the higher has the lower's lesions and more.
    contrast
        How strongly they stand out, 0 to 1.
    disc
        Centre of the optic disc, degrees.
    vessels
        New vessels and cotton-wool spots lie along them.

    Returns
    -------
    marks
        Of each kind that there is.
    vessels
        The same, or with veins that are beaded.
    """
    marks: dict[str, Marks] = {}
    for number, kind in enumerate(LESIONS):
        rng = np.random.default_rng([seed, 7, number])
        least, most = COUNTS[kind][grade]
        count = round(least + rng.random() * (most - least))
        if kind == "preretinal" and grade == 4 and "new_vessels" not in marks:
            count = 1
        if not count:
            continue
        if kind == "venous_beading":
            vessels, marks[kind] = bead(vessels, count, rng)
        else:
            placed = _PLACE[kind](count, disc, vessels, rng)
            marks[kind] = replace(placed, value=placed.value * contrast)
    return marks, vessels


def _spread(
    count: int, disc: tuple[float, float], nearest: float, farthest: float, rng: np.random.Generator
) -> tuple[Points, Points]:
    """Places around the macula, quarter after quarter, at distances that keep off the disc."""
    quarter = (np.arange(count) + rng.integers(4)) % 4
    angle = (quarter + rng.random(count)) * np.pi / 2
    distance = np.sqrt(rng.uniform(nearest**2, farthest**2, count))
    x, y = 3.0 + 1.1 * distance * np.cos(angle), 0.95 * distance * np.sin(angle)
    off = np.hypot(x - disc[0], y - disc[1])
    near = off < 4.0
    x = np.where(near, disc[0] + (x - disc[0]) / off.clip(0.1) * (4 + off / 2), x)
    y = np.where(near, disc[1] + (y - disc[1]) / off.clip(0.1) * (4 + off / 2), y)
    return x, y


def _along(
    vessels: Vessels, count: int, nearest: float, farthest: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose points of the large vessels, by number of vessel and point, that far from the disc."""
    large = (vessels.order == 0)[:, None] & (vessels.radius > 0.1)
    window = large[:, steps(nearest) : steps(farthest)]
    vessel, at = np.nonzero(window if window.any() else large)
    chosen = rng.integers(len(vessel), size=count)
    return vessel[chosen], at[chosen] + (steps(nearest) if window.any() else 0)


def _microaneurysms(
    count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator
) -> Marks:
    x, y = _spread(count, disc, 2, 15, rng)
    radius = rng.uniform(0.10, 0.17, count)
    return Marks(x, y, radius, np.full(count, 0.12), rng.uniform(0.5, 0.9, count), count)


def _haemorrhages(count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator) -> Marks:
    """Dots, blots (several discs on one another) and flames (discs along the nerve fibres)."""
    x, y = _spread(count, disc, 2.5, 18.5, rng)
    size = np.exp(rng.normal(np.log(0.24), 0.48, count)).clip(0.12, 0.8)
    lobes = 6
    flame = rng.random(count) < 0.22
    direction = np.arctan2(y - disc[1], x - disc[0]) + rng.normal(0, 0.3, count)
    step = rng.normal(0, 0.62, (count, lobes))
    aside = rng.normal(0, 0.62, (count, lobes))
    along = np.where(flame[:, None], np.linspace(-1.9, 1.9, lobes), step) * size[:, None]
    aside = np.where(flame[:, None], 0.25 * aside, aside) * size[:, None]
    lobe = size[:, None] * rng.uniform(0.45, 0.85, (count, lobes))
    lobe = np.where(flame[:, None], 0.45 * lobe, lobe)
    cos, sin = np.cos(direction)[:, None], np.sin(direction)[:, None]
    strength = rng.uniform(0.45, 1.0, count)[:, None] * rng.uniform(0.7, 1, (count, lobes))
    return Marks(
        (x[:, None] + along * cos - aside * sin).ravel(),
        (y[:, None] + along * sin + aside * cos).ravel(),
        lobe.ravel(),
        np.repeat(rng.uniform(0.25, 0.6, count), lobes),
        strength.ravel(),
        count,
    )


def _exudates(count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator) -> Marks:
    """Clusters of waxy dots: heaps, streaks, and rings round a leak."""
    parts = []
    for _ in range(count):
        angle, distance = rng.uniform(0.3, 2 * np.pi - 0.3), rng.uniform(3, 10.5)
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        dots = int(rng.integers(6, 34))
        around = rng.uniform(0, 2 * np.pi) + rng.uniform(0, rng.uniform(1.5, 5.5), dots)
        ring = rng.uniform(0.5, 2.2) if rng.random() < 0.55 else 0.0
        spread = rng.uniform(0.5, 1.1) if not ring else 0.28
        parts.append(
            np.stack(
                [
                    x + ring * np.cos(around) + rng.normal(0, spread, dots),
                    y + 0.8 * ring * np.sin(around) + rng.normal(0, spread, dots),
                    np.exp(rng.normal(np.log(0.13), 0.45, dots)).clip(0.06, 0.42),
                    np.full(dots, 0.16),
                    rng.uniform(0.55, 1, dots),
                ]
            )
        )
    return _marks(parts, count)


def cotton_wool(count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator) -> Marks:
    """Fluffy white patches beside the large vessels, within some ten degrees of the disc."""
    chosen, at = _along(vessels, count, 4.5, 14, rng)
    side = rng.choice([-1, 1], count) * rng.uniform(0.5, 1.8, count)
    heading = vessels.heading[chosen, at]
    x, y = vessels.x[chosen, at] - side * np.sin(heading), vessels.y[chosen, at] + side * np.cos(heading)
    size = rng.uniform(0.35, 0.85, count)
    lobes = 7
    along, aside = rng.normal(0, 0.75, (count, lobes)), rng.normal(0, 0.45, (count, lobes))
    turn = heading + rng.normal(0, 0.5, count)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    return Marks(
        (x[:, None] + size[:, None] * (along * cos - aside * sin)).ravel(),
        (y[:, None] + size[:, None] * (along * sin + aside * cos)).ravel(),
        (size[:, None] * rng.uniform(0.25, 0.6, (count, lobes))).ravel(),
        np.repeat(size * rng.uniform(0.9, 1.5, count), lobes),
        (rng.uniform(0.55, 1.0, count)[:, None] * rng.uniform(0.7, 1.0, (count, lobes))).ravel(),
        count,
    )


def bead(vessels: Vessels, count: int, rng: np.random.Generator) -> tuple[Vessels, Marks]:
    """Let stretches of large veins bulge and narrow like strings of sausages."""
    large = np.flatnonzero(vessels.vein & (vessels.order <= 1) & (vessels.radius[:, steps(6)] > 0.12))
    chosen = large[rng.permutation(len(large))[:count]]
    way = np.arange(vessels.x.shape[1]) * STEP
    start, length = rng.uniform(3.5, 9, (len(chosen), 1)), rng.uniform(6.5, 13, (len(chosen), 1))
    inside = (way >= start) & (way < start + length) & (vessels.radius[chosen] > 0)
    bulge = 1.22 + 0.42 * np.sin((way - start) * (2 * np.pi / rng.uniform(1.3, 2.0, (len(chosen), 1))))
    radius = vessels.radius.copy()
    radius[chosen] = np.where(inside, radius[chosen] * bulge, radius[chosen])
    x, y, r = vessels.x[chosen][inside], vessels.y[chosen][inside], radius[chosen][inside]
    marks = Marks(x, y, r, np.zeros(len(x)), np.ones(len(x)), len(chosen))
    return replace(vessels, radius=radius), marks


def harmless(disc: tuple[float, float], rng: np.random.Generator) -> dict[str, Marks]:
    """Place what many eyes without retinopathy show as well: a few drusen (pale dots), spots of pigment."""
    marks = {}
    for kind, fraction, most, size in (("drusen", 0.25, 14, 0.16), ("pigment", 0.25, 5, 0.22)):
        count = int(rng.integers(1, most)) if rng.random() < fraction else 0
        if count:
            x, y = _spread(count, disc, 1.5, 14 if kind == "drusen" else 19, rng)
            radius = np.exp(rng.normal(np.log(size), 0.35, count))
            soft, value = np.full(count, 0.35), rng.uniform(0.25, 1) * rng.uniform(0.5, 1, count)
            marks[kind] = Marks(x, y, radius, soft, value, count)
    return marks


def _marks(parts: list[np.ndarray], count: int) -> Marks:
    x, y, radius, soft, value = np.concatenate(parts, axis=1)
    return Marks(x, y, radius, soft, value, count)


def puff(vessels: Vessels) -> Vessels:
    """Widen the veins."""
    return replace(vessels, radius=vessels.radius * np.where(vessels.vein, 1.35, 1.0)[:, None])


def _new_vessels(count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator) -> Marks:
    """Tangles of fine loops, on the disc or along an arcade."""
    parts = []
    for number in range(count):
        if number == 0 and rng.random() < 0.6:
            x, y, reach = disc[0] + rng.normal(0, 0.8), disc[1] + rng.normal(0, 1.2), rng.uniform(2.2, 3.6)
        else:
            (chosen,), (at,) = _along(vessels, 1, 6, 16, rng)
            x, y, reach = vessels.x[chosen, at], vessels.y[chosen, at], rng.uniform(1.4, 2.6)
        strands, points = int(rng.integers(9, 16)), 44
        turn = rng.normal(0, 0.16, (strands, 1)) + np.cumsum(rng.normal(0, 0.17, (strands, points)), axis=1)
        heading = rng.uniform(0, 2 * np.pi, (strands, 1)) + np.cumsum(turn * 0.5, axis=1)
        stride = reach / 22 * rng.uniform(0.6, 1.3, (strands, 1))
        across = (
            x + rng.normal(0, 0.25 * reach, (strands, 1)) + np.cumsum(np.cos(heading) * stride, axis=1)
        ).ravel()
        down = (
            y + rng.normal(0, 0.25 * reach, (strands, 1)) + np.cumsum(np.sin(heading) * stride, axis=1)
        ).ravel()
        radius = np.repeat(rng.uniform(0.05, 0.095, strands), points)
        parts.append(np.stack([across, down, radius, np.zeros_like(radius), np.full_like(radius, 0.72)]))
    return _marks(parts, count)


def _preretinal(count: int, disc: tuple[float, float], vessels: Vessels, rng: np.random.Generator) -> Marks:
    """Blood in front of the retina that has sunk: a boat with a level top."""
    angle = rng.choice([-1, 1]) * rng.uniform(0.5, 2.4)
    x, y = 4 + 9 * np.cos(angle), 8 * np.sin(angle)
    width, depth = rng.uniform(2.2, 4.2), rng.uniform(1.2, 2.6)
    across, down = np.meshgrid(np.linspace(-1, 1, 33), np.linspace(0, 1, 15))
    inside = across**2 + down**2 < 1
    across, down = across[inside] * width, down[inside] * depth
    radius, soft = rng.uniform(0.15, 0.4, len(across)), np.full(len(across), 0.4)
    return Marks(x + across, y + down, radius, soft, rng.uniform(0.8, 1, len(across)), count)


_PLACE = {
    "microaneurysm": _microaneurysms,
    "haemorrhage": _haemorrhages,
    "exudate": _exudates,
    "cotton_wool": cotton_wool,
    "new_vessels": _new_vessels,
    "preretinal": _preretinal,
}

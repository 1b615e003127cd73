"""What lies on the retina, drawn: blood vessels and lesions."""

import numpy as np

from k2c.synthetic.fundus.canvas import Layer, View, stamp
from k2c.synthetic.fundus.lesions import Marks
from k2c.synthetic.fundus.vessels import STEP, Vessels

APART = 0.75  # pixels between two discs of a vessel, at most
# What a layer takes from the light (or adds to it) in red, green and blue, in powers of e.
ABSORBS: dict[str, tuple[float, float, float]] = {
    "artery": (-0.08, -0.42, -0.32),
    "vein": (-0.24, -0.66, -0.48),
    "reflex": (0.10, 0.26, 0.22),
    "microaneurysm": (-0.30, -0.95, -0.65),
    "haemorrhage": (-0.34, -0.92, -0.66),
    "exudate": (0.42, 0.92, 0.80),
    "cotton_wool": (0.30, 0.62, 0.80),
    "drusen": (0.16, 0.34, 0.24),
    "pigment": (-0.34, -0.36, -0.22),
    "new_vessels": (-0.18, -0.72, -0.50),
    "preretinal": (-0.42, -1.25, -0.95),
}


def draw_marks(marks: Marks, view: View) -> Layer:
    """Draw one kind of lesion: float32 (S, S), 0 to 1."""
    layer = np.zeros((view.size, view.size), np.float32)
    column, row = view.pixels(marks.x, marks.y)
    stamp(layer, column, row, marks.radius * view.scale, marks.value, marks.soft * view.scale)
    return layer


def draw_vessels(vessels: Vessels, view: View) -> tuple[Layer, Layer]:
    """Draw the tree.

    Returns
    -------
    arteries, veins
        float32 (S, S) each: how much of the light passes through blood, 0 to 1.
    """
    layers = np.zeros((2, view.size, view.size), np.float32)
    parts = max(1, int(np.ceil(STEP * view.scale / APART)))
    width = vessels.x.shape[1]
    here = np.flatnonzero((vessels.radius[:, 1:] > 0) & (vessels.radius[:, :-1] > 0))
    here += here // (width - 1)  # from the number in rows of T - 1 to that in rows of T
    column, row = view.pixels(vessels.x.ravel(), vessels.y.ravel())
    share = (np.arange(parts, dtype=np.float32) / parts)[:, None]
    ends = (column, row, vessels.radius.ravel() * np.float32(view.scale))
    across, down, radius = (end[here] + share * (end[here + 1] - end[here]) for end in ends)
    # Of a thick vessel every other disc will do.
    needed = (radius < 1.0) | (np.arange(parts) % 2 == 0)[:, None]
    which = np.broadcast_to(vessels.vein[here // width], across.shape)[needed]
    across, down, radius = across[needed], down[needed], radius[needed]
    strength = 0.5 + 0.5 * np.minimum(1, radius * np.float32(1 / (0.17 * view.scale)))
    stamp(layers, across, down, radius, strength, None, which)
    return layers[0], layers[1]


def add_vessels(light: Layer, vessels: Vessels, view: View) -> None:
    """Draw the tree into `light` (logarithms, float32 (3, S, S)), in place."""
    arteries, veins = draw_vessels(vessels, view)
    add(light, "artery", arteries)
    add(light, "vein", veins)
    # Light glints along the middle of the larger arteries.
    add(light, "reflex", np.square(np.maximum(arteries - np.float32(0.84), 0) * np.float32(1 / 0.16)))


def add(light: Layer, kind: str, layer: Layer) -> None:
    """Add a layer, float32 (S, S), in the colour of its kind to `light`, in place."""
    for channel, strength in zip(
        light, ABSORBS.get(kind, ()), strict=False
    ):  # beading has no colour of its own
        channel += np.float32(strength) * layer

"""One eye, from a few parameters to its photograph and the masks of its lesions."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2c.errors import K2CError, unknown
from k2c.synthetic.canvas import View, stamp
from k2c.synthetic.fundus import camera as cameras
from k2c.synthetic.fundus.anatomy import Style, background, draw_disc, patient_style
from k2c.synthetic.fundus.lesions import (
    LESIONS,
    Marks,
    bead,
    cotton_wool,
    harmless,
    place_lesions,
    puff,
)
from k2c.synthetic.fundus.vessels import STEP, Vessels, grow
from k2c.synthetic.texture import Layer

LOOKALIKES = ("", "spots", "veins")
SIDES = ("left", "right")
SIZES = (32, 1024)
SEEN = 0.2  # a pixel belongs to a lesion when this much of it is covered
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


@dataclass(frozen=True)
class Eye:
    """All that decides how one photograph looks.

    Attributes
    ----------
    seed
        Vessels, view, lesions and noise of this eye.
    patient
        The looks that both eyes of a patient have in common; `seed` when None.
    side
        `"left"` or `"right"`: the optic disc lies on that side of the image.
    grade
        0 none, 1 mild, 2 moderate, 3 severe, 4 proliferative diabetic retinopathy (the international scale).
    contrast
        How strongly the lesions stand out, 0 (not at all) to 1.
    camera
        A name in `CAMERAS`; the patient decides when it is empty.
    blur
        Standard deviation of the blur in pixels of a image of 224; 0 is sharp.
    exposure
        Stops: -1 is half the light.
    dust
        Specks on the lens.
    lookalike
        What an eye without retinopathy shows that resembles it: `"spots"` (like cotton wool), `"veins"` (puffed), or
        nothing.

    Raises
    ------
    K2CError
        When a value is out of range.

    References
    ----------
    Wilkinson et al.: Proposed international clinical diabetic retinopathy and diabetic macular edema disease
    severity scales, Ophthalmology 110 (2003).
    """

    seed: int = 0
    patient: int | None = None
    side: str = "right"
    grade: int = 0
    contrast: float = 0.8
    camera: str = ""
    blur: float = 0.0
    exposure: float = 0.0
    dust: int = 0
    lookalike: str = ""

    def __post_init__(self) -> None:
        if self.seed < 0 or (self.patient or 0) < 0:
            raise K2CError("seed and patient must be 0 or more.")
        if self.grade not in range(5):
            raise K2CError(
                f"grade={self.grade!r} is not a grade of retinopathy: 0 (none) to 4 (proliferative)."
            )
        if self.side not in SIDES:
            raise K2CError(unknown("side", self.side, SIDES))
        if self.camera and self.camera not in cameras.CAMERAS:
            raise K2CError(unknown("camera", self.camera, cameras.CAMERAS))
        if self.lookalike not in LOOKALIKES:
            raise K2CError(unknown("lookalike", self.lookalike, LOOKALIKES[1:]))
        limits = (("contrast", 0, 1), ("blur", 0, 20), ("exposure", -4, 4), ("dust", 0, 200))
        for name, low, high in limits:
            if not low <= getattr(self, name) <= high:
                raise K2CError(f"{name}={getattr(self, name)!r} is out of range: {low} to {high}.")


class EyeDrawing(NamedTuple):
    """A photograph and what is where in it.

    Attributes
    ----------
    image
        uint8 (S, S, 3).
    masks
        For each kind in `LESIONS`: bool (S, S), True where such a lesion lies.
    counts
        For each kind: how many there are, in view or not.
    """

    image: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    counts: dict[str, int]


def draw_eye(eye: Eye, size: int = 224) -> EyeDrawing:
    """Draw one eye.

    Every trait has a random stream of its own, so that one seed drawn with two grades (or with and without
    blur) is the same eye, with and without lesions (blur).

    Parameters
    ----------
    eye
        What to draw.
    size
        Pixels of the side, 32 to 1024.

    Returns
    -------
    EyeDrawing
        The photograph and the masks.

    Raises
    ------
    K2CError
        When the size is out of range.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    patient = np.random.default_rng([eye.seed if eye.patient is None else eye.patient, 1])
    style = patient_style(patient)
    names = list(cameras.CAMERAS)
    camera = cameras.CAMERAS[eye.camera or names[patient.integers(len(names))]]
    stream = [np.random.default_rng([eye.seed, 2, number]) for number in range(5)]
    view = cameras.point(camera, eye.side == "right", size, stream[0])
    vessels = grow(
        style.disc, style.tortuosity, style.width, (*view.centre, view.radius / view.scale + 1), stream[1]
    )
    marks, vessels = place_lesions(eye.grade, eye.seed, eye.contrast, style.disc, vessels)
    others, vessels = _benign(eye, style, vessels)
    retina = background(style, camera.colour, view, stream[2])
    draw_disc(retina, style, view, stream[2])
    _add_vessels(retina, vessels, view)
    layers = {kind: _draw_marks(which, view) for kind, which in marks.items()}
    for kind, layer in (
        *layers.items(),
        *((kind, _draw_marks(which, view)) for kind, which in others.items()),
    ):
        _add(retina, kind, layer)
    retina += cameras.light(camera, view, stream[3])
    image = cameras.expose_photograph(
        np.exp(retina, out=retina), camera, view, stream[4], eye.blur, eye.exposure, eye.dust
    )
    masks = {kind: np.zeros((size, size), bool) for kind in LESIONS}
    seen = cameras.in_view(camera, view)
    for kind, layer in layers.items():
        np.logical_and(layer > SEEN, seen, out=masks[kind])
    return EyeDrawing(image, masks, {kind: marks[kind].count if kind in marks else 0 for kind in LESIONS})


def _benign(eye: Eye, style: Style, vessels: Vessels) -> tuple[dict[str, Marks], Vessels]:
    """Add what is no retinopathy: what many eyes have, and what was asked for because it resembles a lesion."""
    others = harmless(style.disc, np.random.default_rng([eye.seed, 9]))
    rng = np.random.default_rng([eye.seed, 8])
    if eye.lookalike == "spots":
        spots = cotton_wool(int(rng.integers(1, 5)), style.disc, vessels, rng)
        return others | {"cotton_wool": spots}, vessels
    if eye.lookalike == "veins":
        vessels, _ = bead(puff(vessels), 3, rng)
    return others, vessels


def _draw_marks(marks: Marks, view: View) -> Layer:
    """Draw one kind of lesion: float32 (S, S), 0 to 1."""
    layer = np.zeros((view.size, view.size), np.float32)
    column, row = view.pixels(marks.x, marks.y)
    stamp(layer, column, row, marks.radius * view.scale, marks.value, marks.soft * view.scale)
    return layer


def _draw_vessels(vessels: Vessels, view: View) -> tuple[Layer, Layer]:
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
    fraction = (np.arange(parts, dtype=np.float32) / parts)[:, None]
    ends = (column, row, vessels.radius.ravel() * np.float32(view.scale))
    across, down, radius = (end[here] + fraction * (end[here + 1] - end[here]) for end in ends)
    # Of a thick vessel every other disc will do.
    needed = (radius < 1.0) | (np.arange(parts) % 2 == 0)[:, None]
    which = np.broadcast_to(vessels.vein[here // width], across.shape)[needed]
    across, down, radius = across[needed], down[needed], radius[needed]
    strength = 0.5 + 0.5 * np.minimum(1, radius * np.float32(1 / (0.17 * view.scale)))
    stamp(layers, across, down, radius, strength, None, which)
    return layers[0], layers[1]


def _add_vessels(light: Layer, vessels: Vessels, view: View) -> None:
    """Draw the tree into `light` (logarithms, float32 (3, S, S)), in place."""
    arteries, veins = _draw_vessels(vessels, view)
    _add(light, "artery", arteries)
    _add(light, "vein", veins)
    # Light glints along the middle of the larger arteries.
    _add(light, "reflex", np.square(np.maximum(arteries - np.float32(0.84), 0) * np.float32(1 / 0.16)))


def _add(light: Layer, kind: str, layer: Layer) -> None:
    """Add a layer, float32 (S, S), in the colour of its kind to `light`, in place."""
    for channel, strength in zip(
        light, ABSORBS.get(kind, ()), strict=False
    ):  # beading has no colour of its own
        channel += np.float32(strength) * layer

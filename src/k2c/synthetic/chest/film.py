"""One film, from a few parameters to its grey values and the masks of its findings."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2c.errors import K2CError, unknown
from k2c.synthetic.chest import camera, devices, opacities, outlines
from k2c.synthetic.chest.body import make_body, positioned
from k2c.synthetic.chest.findings import FINDINGS, VIEWS
from k2c.synthetic.chest.scene import ChestFinding, Scene

SIZES = (32, 512)
KINDS: dict[str, type[ChestFinding]] = {
    kind.name: kind
    for kind in (
        opacities.Atelectasis, outlines.Cardiomegaly, outlines.Effusion, opacities.Infiltration, outlines.Mass,
        outlines.Nodule, opacities.Pneumonia, outlines.Pneumothorax, opacities.Consolidation, opacities.Edema,
        outlines.Emphysema, opacities.Fibrosis, outlines.Thickening, outlines.Hernia,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Film:
    """All that decides how one film looks.

    Attributes
    ----------
    seed
        How the patient was placed, the unit, devices and noise.
    patient
        The build of the patient; `seed` when None.
    course
        Where the findings are and how severe; films of one course of illness have the same; `seed` when None.
    view
        `"PA"`: from behind, standing; `"AP"`: from the front, at the bedside.
    findings
        Names in `FINDINGS`.
    sex, age
        `"M"` or `"F"`, and years.
    devices
        Names in `DEVICES`, or None for what is usual.

    Raises
    ------
    K2CError
        When a value is none of the allowed ones.
    """

    seed: int = 0
    patient: int | None = None
    course: int | None = None
    view: str = "PA"
    findings: tuple[str, ...] = ()
    sex: str = "M"
    age: int = 50
    devices: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if min(self.seed, self.patient or 0, self.course or 0) < 0:
            raise K2CError("seed, patient and course must be 0 or more.")
        if not 0 <= self.age <= 120:
            raise K2CError(f"age={self.age!r} is out of range: 0 to 120 years.")
        if isinstance(self.findings, str):
            raise K2CError(f'findings must be a tuple: findings=("{self.findings}",).')
        chosen: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
            ("view", (self.view,), VIEWS),
            ("sex", (self.sex,), ("M", "F")),
            ("finding", self.findings, FINDINGS),
            ("device", self.devices or (), devices.DEVICES),
        )
        for what, values, allowed in chosen:
            for value in values:
                if value not in allowed:
                    raise K2CError(unknown(what, value, allowed))


class FilmDrawing(NamedTuple):
    """A film and what is where on it.

    Attributes
    ----------
    image
        uint8 (S, S).
    masks
        For each of the film's findings: bool (S, S), True where it is.
    devices
        Which devices are on it.
    """

    image: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    devices: tuple[str, ...]


def draw_film(film: Film, size: int = 224, *, masks: bool = True) -> FilmDrawing:
    """Draw one film.

    Every trait has a random stream of its own, so that one seed drawn with and without a finding is the same
    patient, with and without it.

    Parameters
    ----------
    film
        What to draw.
    size
        Pixels of the side, 32 to 512.
    masks
        Whether to make the masks, which costs some time.

    Returns
    -------
    FilmDrawing
        The film and the masks.

    Raises
    ------
    K2CError
        When the size is out of range.

    Notes
    -----
    What still differs from a real film, the most visible first:

    - Opacities are round and even, with borders that are too regular, and lie where chance put them. Real ones follow
      lobes and vessels, and are often faint.
    - The lung's texture is some hundred vessels and a random field. Real lungs show several times as many branches,
      fissures, airways seen end on, calcified nodes, and scars of former illness in people without a finding.
    - Both sides are mirror images but for heart, aorta, diaphragm and hila. Nobody is rotated, scoliotic, or has broken
      ribs, an operated chest or implants; ribs, collar bones and shoulder blades have one shape in few sizes.
    - Soft tissue is one smooth outline: no skin folds, muscles or clothes, and breasts do not widen the outline.
    - Scattered light and the unit's processing are two parameters, and the letters of markers are of one font.

    A network that was trained on these films only is therefore close to chance on real ones.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    patient = film.seed if film.patient is None else film.patient
    stream = [np.random.default_rng([film.seed, 2, number]) for number in range(6)]
    body = make_body(film.sex, film.age, np.random.default_rng([patient, 1]))
    body = positioned(body, film.view, stream[0])
    found = _findings(film)
    for finding in found:
        body = finding.change(body)
    scene = Scene(body, camera.aim(size, film.view, stream[1]))
    for finding in found:
        finding.draw(scene)
    names = _devices(film)
    scene.dense += _drawn_devices(names, scene, found, stream[2])
    absorbed = scene.absorbed(np.random.default_rng([patient, 3]), stream[3])
    angle = float(stream[1].normal(0, 1.3 if film.view == "PA" else 2.2))
    value = camera.expose_film(
        camera.turned(absorbed, angle), camera.choose_detector(film.view, stream[4]), film.view, stream[4]
    )
    image = camera.finish(value, film.view, stream[5])
    turned = {name: _turned(scene.masks[name], angle) for name in film.findings} if masks else {}
    return FilmDrawing(image, turned, names)


def _findings(film: Film) -> list[ChestFinding]:
    course = film.seed if film.course is None else film.course
    return [KINDS[name](np.random.default_rng([course, 4, FINDINGS.index(name)])) for name in film.findings]


def _devices(film: Film) -> tuple[str, ...]:
    if film.devices is not None:
        return film.devices
    return devices.choose_devices(
        film.view, "Pneumothorax" in film.findings, np.random.default_rng([film.seed, 5])
    )


def _drawn_devices(
    names: tuple[str, ...], scene: Scene, found: list[ChestFinding], rng: np.random.Generator
) -> NDArray[np.float32] | float:
    if not names:
        return 0.0
    sides = [finding.which for finding in found if isinstance(finding, outlines.Pneumothorax)]
    return devices.draw_devices(names, scene.body, scene.frame, sides[0] if sides else 0, rng)


def _turned(mask: NDArray[np.bool_], angle: float) -> NDArray[np.bool_]:
    return camera.turned(mask.astype(np.float32), angle) > 0.5

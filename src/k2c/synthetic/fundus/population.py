"""Which eyes have referable retinopathy, and what goes wrong with which photograph."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from k2c.errors import K2CError
from k2c.synthetic.fundus.eye import Eye

# The fractions of grades 2, 3 and 4 among the referable eyes of EyePACS: 5292, 873 and 708 of 35,126 eyes.
GRADES_IF_REFERABLE = {2: 0.77, 3: 0.13, 4: 0.10}
MILD = 0.08  # fraction of grade 1 among the other eyes; EyePACS: 2443 of 28,253
MILD_FELLOW = 0.25  # the same for the other eye of a patient with one referable eye
BOTH = 0.5  # fraction of patients with retinopathy in whom both eyes are referable
CONTRAST = (0.5, 1.5)  # an eye's contrast, as a multiple of the mean: at least and at most
BLOCK = 40  # eyes among which the number of referable eyes is as even as it can be


@dataclass(frozen=True)
class EyePopulation:
    """What is asked of a population; see `synthetic_fundus`."""

    prevalence: float
    seed: int
    blur: float
    exposure: float
    dust: float
    lookalikes: float
    contrast: float = 0.6

    def __post_init__(self) -> None:
        for name in ("prevalence", "blur", "exposure", "dust", "lookalikes", "contrast"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise K2CError(f"{name}={value!r} is not a fraction: it must lie between 0 and 1.")
        if self.seed < 0:
            raise K2CError(f"seed={self.seed} must be 0 or more.")

    def eyes(self, count: int) -> list[Eye]:
        """Return the first eyes: two of a patient after one another. Those of a shorter list are the same."""
        referable = self._referable(count)
        return [self._eye(number, referable) for number in range(count)]

    def _referable(self, count: int) -> np.ndarray:
        """Decide which eyes are referable, bool (count + 1 or more,).

        Block after block has its exact number of referable eyes, so that 3 in 203 are 3 of the first 203.
        """
        per = max(BLOCK, round(3 / self.prevalence)) if self.prevalence else count + 1
        blocks = -(-(count + 1) // per)
        referable = np.zeros(blocks * per, bool)
        for block in range(blocks):
            before, after = (int(number * per * self.prevalence + 0.5) for number in (block, block + 1))
            rng = np.random.default_rng([self.seed, 11, block])
            start = block * per
            referable[start : start + per] = _choose(after - before, per, start % 2, rng)
        return referable

    def _eye(self, number: int, referable: np.ndarray) -> Eye:
        patient = number // 2
        rng = np.random.default_rng([self.seed, 12, number])
        chances = rng.random(6)
        fellow = referable[number ^ 1]
        if referable[number]:
            grade = int(np.searchsorted(np.cumsum([*GRADES_IF_REFERABLE.values()]), chances[0])) + 2
        else:
            grade = int(chances[0] < (MILD_FELLOW if fellow else MILD))
        seeds = np.random.SeedSequence([self.seed, 13, number]).generate_state(1)
        shared = np.random.SeedSequence([self.seed, 14, patient]).generate_state(1)
        eye = Eye(int(seeds[0]), int(shared[0]), ("left", "right")[number % 2], min(grade, 4))
        return self._with_troubles(eye, chances[1:], rng)

    def _with_troubles(self, eye: Eye, chances: np.ndarray, rng: np.random.Generator) -> Eye:
        """Add troubles. A larger fraction adds eyes to those that a smaller one affects, and changes none."""
        blur = round(float(rng.uniform(1.6, 4.0)), 2)
        stops = round(float(rng.uniform(-2.2, -1.0) if rng.random() < 0.7 else rng.uniform(0.7, 1.3)), 2)
        specks = int(rng.integers(6, 30))
        contrast = self.contrast * (CONTRAST[0] + (CONTRAST[1] - CONTRAST[0]) * chances[4])
        lookalike = str(rng.choice(["spots", "veins"]))
        return replace(
            eye,
            contrast=round(min(float(contrast), 1.0), 3),
            blur=blur if chances[0] < self.blur else 0.0,
            exposure=stops if chances[1] < self.exposure else 0.0,
            dust=specks if chances[2] < self.dust else 0,
            lookalike=lookalike if eye.grade == 0 and chances[3] < self.lookalikes else "",
        )


def _choose(count: int, per: int, odd: int, rng: np.random.Generator) -> np.ndarray:
    """Choose `count` of `per` eyes: those of a patient together or one alone; `odd` when the first is a right eye."""
    referable = np.zeros(per, bool)
    patients = rng.permutation(-(-(per + odd) // 2))
    for patient in patients:
        first = 2 * patient - odd
        chosen = [first, first + 1] if rng.random() < BOTH else [first + int(rng.integers(2))]
        for eye in chosen:
            if 0 <= eye < per and referable.sum() < count:
                referable[eye] = True
    left = np.flatnonzero(~referable)
    referable[rng.permutation(left)[: count - referable.sum()]] = True
    return referable


def eye_table(eyes: list[Eye], labels: str) -> pd.DataFrame:
    """Return the table of a data set, one row per eye.

    Parameters
    ----------
    eyes
        As of `EyePopulation.eyes`, so that two neighbours are a patient's.
    labels
        `"eye"`, or `"patient"`: an eye is labelled 1 when either of its patient's does.
    """
    table = pd.DataFrame(
        {
            "image": [f"eye{number:05d}" for number in range(len(eyes))],
            "label": 0,
            "patient": [f"patient{number // 2:05d}" for number in range(len(eyes))],
            "eye": [eye.side for eye in eyes],
            "grade": [float(eye.grade) for eye in eyes],
            "quality": [_quality(eye) for eye in eyes],
            "true_label": [int(eye.grade >= 2) for eye in eyes],
            "contrast": [eye.contrast for eye in eyes],
            "blur": [eye.blur for eye in eyes],
            "exposure": [eye.exposure for eye in eyes],
            "dust": [eye.dust for eye in eyes],
            "lookalike": [eye.lookalike for eye in eyes],
        }
    )
    whole = table["true_label"].groupby(table["patient"]).transform("max") if labels == "patient" else None
    table["label"] = table["true_label"] if whole is None else whole
    return table


def _quality(eye: Eye) -> float:
    """Judge a photograph by what went wrong: 1 is faultless."""
    return round(float(np.exp(-eye.blur / 2.5 - abs(eye.exposure) / 3 - eye.dust / 80)), 3)

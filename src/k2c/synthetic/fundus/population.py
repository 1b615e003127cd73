"""Who is ill, and what goes wrong with whose photograph."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from k2c.errors import K2CError
from k2c.synthetic.fundus.eye import Eye

# Of the ill eyes (grade 2 and up) of EyePACS's 35,126, the shares of grades 2, 3 and 4: 5292, 873 and 708.
GRADES_OF_ILL = {2: 0.77, 3: 0.13, 4: 0.10}
MILD = 0.08  # share of grade 1 among the eyes that do not count as ill; EyePACS: 2443 of 28,253
MILD_FELLOW = 0.25  # the same for the other eye of a patient with one ill eye
BOTH = 0.5  # share of ill patients with both eyes ill
BLOCK = 40  # eyes among which the number of ill ones is as even as it can be


@dataclass(frozen=True)
class Population:
    """What is asked of a population; see `synthetic_fundus`."""

    prevalence: float
    seed: int
    blur: float
    exposure: float
    dust: float
    lookalikes: float

    def __post_init__(self) -> None:
        for name in ("prevalence", "blur", "exposure", "dust", "lookalikes"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise K2CError(f"{name}={value!r} is not a share of the eyes: it must lie between 0 and 1.")
        if self.seed < 0:
            raise K2CError(f"seed={self.seed} must be 0 or more.")

    def eyes(self, count: int) -> list[Eye]:
        """Return the first eyes: two of a patient after one another. Those of a shorter list are the same."""
        ill = self._ill(count)
        return [self._eye(number, ill) for number in range(count)]

    def _ill(self, count: int) -> np.ndarray:
        """Decide which eyes are ill, bool (count + 1 or more,).

        Block after block has its exact number of ill eyes, so that 3 in 203 are 3 of the first 203.
        """
        per = max(BLOCK, round(3 / self.prevalence)) if self.prevalence else count + 1
        blocks = -(-(count + 1) // per)
        ill = np.zeros(blocks * per, bool)
        for block in range(blocks):
            before, after = (int(number * per * self.prevalence + 0.5) for number in (block, block + 1))
            rng = np.random.default_rng([self.seed, 11, block])
            start = block * per
            ill[start : start + per] = _choose(after - before, per, start % 2, rng)
        return ill

    def _eye(self, number: int, ill: np.ndarray) -> Eye:
        patient = number // 2
        rng = np.random.default_rng([self.seed, 12, number])
        drawn = rng.random(6)
        fellow = ill[number ^ 1]
        if ill[number]:
            grade = int(np.searchsorted(np.cumsum([*GRADES_OF_ILL.values()]), drawn[0])) + 2
        else:
            grade = int(drawn[0] < (MILD_FELLOW if fellow else MILD))
        seeds = np.random.SeedSequence([self.seed, 13, number]).generate_state(1)
        shared = np.random.SeedSequence([self.seed, 14, patient]).generate_state(1)
        eye = Eye(int(seeds[0]), int(shared[0]), ("left", "right")[number % 2], min(grade, 4))
        return self._with_troubles(eye, drawn[1:], rng)

    def _with_troubles(self, eye: Eye, drawn: np.ndarray, rng: np.random.Generator) -> Eye:
        """Add troubles. A larger share adds eyes to those that a smaller one affects, and changes none."""
        blur = round(float(rng.uniform(1.6, 4.0)), 2)
        stops = round(float(rng.uniform(-2.2, -1.0) if rng.random() < 0.7 else rng.uniform(0.7, 1.3)), 2)
        specks = int(rng.integers(6, 30))
        alike = str(rng.choice(["spots", "veins"]))
        return replace(
            eye,
            blur=blur if drawn[0] < self.blur else 0.0,
            exposure=stops if drawn[1] < self.exposure else 0.0,
            dust=specks if drawn[2] < self.dust else 0,
            lookalike=alike if eye.grade == 0 and drawn[3] < self.lookalikes else "",
        )


def _choose(count: int, per: int, odd: int, rng: np.random.Generator) -> np.ndarray:
    """Choose `count` of `per` eyes: those of a patient together or one alone; `odd` when the first is a right eye."""
    ill = np.zeros(per, bool)
    patients = rng.permutation(-(-(per + odd) // 2))
    for patient in patients:
        first = 2 * patient - odd
        chosen = [first, first + 1] if rng.random() < BOTH else [first + int(rng.integers(2))]
        for eye in chosen:
            if 0 <= eye < per and ill.sum() < count:
                ill[eye] = True
    left = np.flatnonzero(~ill)
    ill[rng.permutation(left)[: count - ill.sum()]] = True
    return ill


def table_of(eyes: list[Eye], labels: str) -> pd.DataFrame:
    """Return the table of a data set, a row an eye.

    Parameters
    ----------
    eyes
        As of `Population.eyes`, so that two neighbours are a patient's.
    labels
        `"eye"`, or `"patient"`: an eye counts as ill when either of its patient's does.
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

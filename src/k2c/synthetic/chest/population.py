"""The patients who are X-rayed: how often, with which findings, and what the reports say."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from k2c.errors import K2CError
from k2c.synthetic.chest.film import Film
from k2c.synthetic.chest.findings import FINDINGS, VIEWS, combinations, films_per_patient

WOMEN = 0.435  # fraction of the films of ChestX-ray14
AGE = (46.6, 16.6)  # mean and standard deviation in years, the same
MOST_FILMS = 12  # of a patient; in ChestX-ray14, one has 184
# From one film of a patient to the next the labels are the same in 41% of the cases in ChestX-ray14, and in 30% of
# films drawn by chance; so much must be kept: (0.41 - 0.30) / (1 - 0.30).
KEPT = 0.16


@dataclass(frozen=True)
class FilmPopulation:
    """What is asked of a population; see `synthetic_chest`."""

    seed: int
    enriched: float
    label_noise: float

    def __post_init__(self) -> None:
        for name in ("enriched", "label_noise"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise K2CError(f"{name}={value!r} is not a fraction: it must lie between 0 and 1.")
        if self.seed < 0:
            raise K2CError(f"seed={self.seed} must be 0 or more.")

    def films(self, count: int) -> tuple[list[Film], list[int]]:
        """Return the first films, and the number of each one's patient. Those of a shorter list are the same."""
        films: list[Film] = []
        patients: list[int] = []
        number = 0
        while len(films) < count:
            theirs = self._films_of(number)
            films += theirs
            patients += [number] * len(theirs)
            number += 1
        return films[:count], patients[:count]

    def _films_of(self, patient: int) -> list[Film]:
        rng = np.random.default_rng([self.seed, 21, patient])
        often, fraction = _visits()
        count = int(often[np.searchsorted(fraction, rng.random(), side="right")])
        sex = "F" if rng.random() < WOMEN else "M"
        age = int(np.clip(rng.normal(*AGE), 3, 92))
        build, *seeds = (int(part) for part in rng.integers(0, 2**31, 1 + 2 * count))
        films: list[Film] = []
        row = 0
        for visit in range(count):
            kept, enriched, rare, which, view = rng.random(5)
            course = seeds[2 * visit]
            if visit and kept < KEPT:
                course = films[-1].course or 0
            else:
                row = _draw(which, int(rare * len(FINDINGS)) if enriched < self.enriched else None)
            behind = _table().fraction_behind[row]
            name = VIEWS[int(view >= behind)]
            films.append(Film(seeds[2 * visit + 1], build, course, name, _table().found[row], sex, age))
        return films

    def labels(self, truth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a program would read in reports: float32 (N, 14).

        A fraction `label_noise` of the findings is missed, and of each finding as many are added to films that lack
        it as its frequency says, so that about as many are counted as there are.
        """
        often = self._frequency()
        added = np.minimum(self.label_noise * often / (1 - often), 1)
        labels = truth.copy()
        for row, true in enumerate(truth):
            chances = np.random.default_rng([self.seed, 22, row]).random(len(FINDINGS))
            labels[row] = np.where(true == 1, chances >= self.label_noise, chances < added)
        return labels

    def _frequency(self) -> NDArray[np.float64]:
        """Return how often each finding is expected, (14,)."""
        table = _table()
        natural = table.has.T @ table.weight
        return (1 - self.enriched) * natural + self.enriched * (table.has.T @ table.enriched)


@dataclass(frozen=True)
class _Combinations:
    """The combinations of findings: names, matrix (R, 14), natural and enriched fraction (R,), fraction of PA (R,)."""

    found: tuple[tuple[str, ...], ...]
    has: NDArray[np.float64]
    weight: NDArray[np.float64]
    enriched: NDArray[np.float64]
    fraction_behind: NDArray[np.float64]


@lru_cache(maxsize=1)
def _table() -> _Combinations:
    table = combinations()
    has = table[list(FINDINGS)].to_numpy(np.float64)
    films = table[list(VIEWS)].to_numpy(np.float64)
    weight = films.sum(axis=1) / films.sum()
    each = has * weight[:, None]
    found = tuple(tuple(name for name in FINDINGS if name in names.split("|")) for names in table.index)
    return _Combinations(
        found, has, weight, (each / each.sum(axis=0)).mean(axis=1), films[:, 0] / films.sum(axis=1)
    )


@lru_cache(maxsize=16)
def _steps(finding: int | None) -> NDArray[np.float64]:
    table = _table()
    weight = table.weight if finding is None else table.weight * table.has[:, finding]
    return np.cumsum(weight) / weight.sum()


def _draw(chance: float, finding: int | None) -> int:
    """Draw a combination: any of them, or one with a finding."""
    steps = _steps(finding)
    return min(int(np.searchsorted(steps, chance, side="right")), len(steps) - 1)


@lru_cache(maxsize=1)
def _visits() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return numbers of films, and the cumulated fraction of patients with so many."""
    patients = films_per_patient()
    often = np.minimum(patients.index.to_numpy(np.int64), MOST_FILMS)
    fraction = np.cumsum(patients.to_numpy(np.float64))
    return often, fraction / fraction[-1]


def film_table(films: list[Film], patients: list[int], population: FilmPopulation) -> pd.DataFrame:
    """Return the table of a data set, one row per film."""
    truth = np.array([[name in film.findings for name in FINDINGS] for film in films], np.float32)
    visit = pd.Series(patients).groupby(patients).cumcount()
    table = pd.DataFrame(
        {
            "image": [f"film{number:06d}" for number in range(len(films))],
            "patient": [f"patient{number:06d}" for number in patients],
            "view": [film.view for film in films],
            "age": [film.age for film in films],
            "sex": [film.sex for film in films],
            "follow_up": visit.to_numpy(np.int64),
        }
    )
    table[list(FINDINGS)] = population.labels(truth)
    table[[f"true_{name}" for name in FINDINGS]] = truth
    return table

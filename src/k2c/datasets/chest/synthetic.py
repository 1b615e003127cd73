"""Make the synthetic version of a data set of chest films, and keep its films."""

import numpy as np
from numpy.typing import NDArray

from k2c.datasets.images import ImageArray
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.synthetic_source import Generator, SyntheticSource
from k2c.errors import K2CError
from k2c.synthetic.chest.film import SIZES, Film, draw_film
from k2c.synthetic.chest.findings import FINDINGS
from k2c.synthetic.chest.population import FilmPopulation, film_table

VERSION = 3  # of the generator: films that were kept by another version are made anew
CHUNK = 64  # films in a file
NAME = "synthetic chest films"


def synthetic_chest(
    n: int = 1000,
    *,
    size: int = 128,
    seed: int = 0,
    enriched: float = 0.0,
    label_noise: float = 0.0,
    cache: bool = True,
    workers: int | None = None,
) -> LabelledImages:
    """Make a data set of synthetic chest films whose truth is known. Nothing is downloaded.

    Findings occur together as they do in the 112,120 films of ChestX-ray14 (54% have none), views and the number of
    films of a patient too (at most 12). Film number i of a seed is the same whatever `n`.

    Parameters
    ----------
    n
        Films. The last patient's may be cut off.
    size
        Pixels of the films' side, 32 to 512.
    seed
        The same seed gives the same bytes on the same machine.
    enriched
        Fraction of the films drawn among those with a finding, each of the 14 equally often, as in a test set that
        shall have some of each. 0 is as in the hospital.
    label_noise
        Fraction of the findings that the labels miss, as those of a program that reads reports do; about as many are
        added wrongly. Columns `true_...` hold the truth. Films and fingerprint do not depend on it.
    cache
        Keep the films in the cache folder (1 MB for 64 of 128 pixels).
    workers
        Processes that draw all films at once. By default each is drawn in this process when it is first asked
        for. In a script, more than one need `if __name__ == "__main__":`.

    Returns
    -------
    LabelledImages
        Grey films, a column for each of `FINDINGS`. Others: `view` (PA, AP), `age`, `sex`, `follow_up` (number of
        the patient's film), `true_...`. `masks(i)` tells where the findings are.

    Raises
    ------
    K2CError
        When a value is out of range.

    References
    ----------
    Wang et al.: ChestX-ray8 (2017), for the counts.
    """
    if n < 1:
        raise K2CError(f"n={n} films are none: ask for 1 or more.")
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    population = FilmPopulation(seed, enriched, label_noise)
    films, patients = population.films(n)
    source = SyntheticSource(GENERATOR, films, size, cache, NAME)
    if workers is not None and workers > 1:
        source.draw_all(workers)
    return LabelledImages(film_table(films, patients, population), source, FINDINGS, NAME)


def _image(film: Film, size: int) -> ImageArray:
    return draw_film(film, size, masks=False).image


def _masks(film: Film, size: int) -> dict[str, NDArray[np.bool_]]:
    return draw_film(film, size).masks


GENERATOR = Generator("synthetic chest", VERSION, CHUNK, _image, _masks)

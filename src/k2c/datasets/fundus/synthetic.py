"""Make the synthetic version of a data set of fundus photographs, and keep its images."""

import numpy as np
from numpy.typing import NDArray

from k2c.datasets.fundus.positives import CLASSES
from k2c.datasets.images import ImageArray
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.synthetic_source import Generator, SyntheticSource
from k2c.errors import K2CError, unknown
from k2c.synthetic.fundus.eye import SIZES, Eye, draw_eye
from k2c.synthetic.fundus.population import EyePopulation, eye_table

VERSION = 5  # of the generator: images that were kept by another version are made anew
CHUNK = 32  # eyes in a file
NAME = "synthetic fundus photographs"
LABELS = ("eye", "patient")
PREVALENCE = 3 / 203


def synthetic_fundus(
    n: int = 203,
    *,
    prevalence: float = PREVALENCE,
    size: int = 224,
    seed: int = 0,
    blur: float = 0.0,
    exposure: float = 0.0,
    dust: float = 0.0,
    lookalikes: float = 0.0,
    contrast: float = 0.6,
    labels: str = "eye",
    cache: bool = True,
    workers: int | None = None,
) -> LabelledImages:
    """Make a data set of synthetic fundus photographs whose truth is known. Nothing is downloaded.

    Patients have two eyes, one after the other. An eye is positive when its grade is 2 or more (referable
    retinopathy): 77% of the positive eyes have grade 2, 13% grade 3 and 10% grade 4, as in EyePACS; 8% of the
    others have grade 1. Half of the patients with a positive eye have only one. Eye number i of a seed is the same
    whatever `n`, and the same but for blur (exposure, ...) whatever `blur` (`exposure`, ...).

    Parameters
    ----------
    n
        Eyes.
    prevalence
        Fraction of positive eyes. By default 3 in 203.
    size
        Pixels of the images' side, 32 to 1024.
    seed
        The same seed gives the same bytes on the same machine.
    blur, exposure, dust
        Fraction of the photographs that are out of focus (1.6 to 4 pixels of 224), far too dark or too bright,
        or show specks on the lens.
    lookalikes
        Fraction of the eyes without retinopathy that have spots like cotton wool, or with puffed veins.
    contrast
        How strongly the lesions stand out on average, 0 to 1; an eye's own is half to one and a half of that (at most
        1). With the default, a head on frozen features of EfficientNet-Lite0 has an ROC AUC of about 0.8 on sharp
        photographs with true labels: a task that is neither solved nor hopeless.
    labels
        What the column `label` says: `"eye"`, the truth; `"patient"`, whether either eye of the patient is positive.
    cache
        Keep the images in the cache folder (about 5 MB for 32 of 224 pixels).
    workers
        Processes that draw all images at once. By default each is drawn in this process when it is first
        asked for. In a script, more than one need `if __name__ == "__main__":`.

    Returns
    -------
    LabelledImages
        Classes `no retinopathy` and `retinopathy`. Columns besides those of every fundus data set: `true_label`,
        `contrast`, `blur`, `exposure`, `dust`, `lookalike`. `quality` is 1 for a faultless image. `masks(i)` tells
        where the lesions are.

    Raises
    ------
    K2CError
        When a value is out of range.
    """
    if n < 1:
        raise K2CError(f"n={n} eyes are none: ask for 1 or more.")
    if labels not in LABELS:
        raise K2CError(unknown("kind of labels", labels, LABELS))
    if not SIZES[0] <= size <= SIZES[1]:
        raise K2CError(f"size={size} is out of range: {SIZES[0]} to {SIZES[1]} pixels.")
    eyes = EyePopulation(prevalence, seed, blur, exposure, dust, lookalikes, contrast).eyes(n)
    source = SyntheticSource(GENERATOR, eyes, size, cache, NAME)
    if workers is not None and workers > 1:
        source.draw_all(workers)
    return LabelledImages(eye_table(eyes, labels), source, CLASSES, NAME)


def _image(eye: Eye, size: int) -> ImageArray:
    return draw_eye(eye, size).image


def _masks(eye: Eye, size: int) -> dict[str, NDArray[np.bool_]]:
    return draw_eye(eye, size).masks


GENERATOR = Generator("synthetic fundus", VERSION, CHUNK, _image, _masks)

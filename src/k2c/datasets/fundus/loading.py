"""One entry to all fundus photographs."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from k2c.datasets.fundus.folder import fundus_folder
from k2c.datasets.fundus.positives import CLASSES, label_of_grade
from k2c.datasets.fundus.synthetic import synthetic_fundus
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.medmnist import SPLITS, load_medmnist
from k2c.datasets.named_source import load_source
from k2c.datasets.registry import Registry


def retina_mnist(
    split: str | Sequence[str] = SPLITS,
    size: int = 224,
    *,
    positive: str = "referable",
    registry: Registry | None = None,
) -> LabelledImages:
    """Load RetinaMNIST: 1,600 fundus photographs of DeepDRiD, cropped to the middle, graded 0 to 4.

    Parameters
    ----------
    split
        `"train"` (1,080), `"val"` (120) or `"test"` (400), or several; all by default.
    size
        28, 64, 128 or 224 pixels.
    positive
        What label 1 means: `"referable"` retinopathy (grade 2 and up) or `"any"` (grade 1 and up).
    registry
        Another registry than the kit's own.

    Returns
    -------
    LabelledImages
        Classes no retinopathy (0) and retinopathy (1). There are no patient numbers: `patient` numbers the images.

    Raises
    ------
    FetchError
        When it is neither cached nor to be had.
    K2CError
        When a parameter is none of the allowed ones.
    """
    label_of_grade([], positive)  # refuse a wrong word before anything is downloaded
    graded = load_medmnist("retinamnist", size, split, registry)
    grade = graded.labels.astype(np.float64)
    label = label_of_grade(grade, positive).astype(np.int64)
    data = graded.with_columns(grade=grade, label=label, eye="", quality=np.nan)
    data.classes = CLASSES
    return data


SOURCES: dict[str, Callable[..., LabelledImages]] = {
    "synthetic": synthetic_fundus,
    "retinamnist": retina_mnist,
}


def load_fundus(
    source: str | os.PathLike[str] = "synthetic",
    *,
    labels: str | os.PathLike[str] | None = None,
    missing: str = "error",
    **options: Any,
) -> LabelledImages:
    """Load fundus photographs with labels: no retinopathy (0) or retinopathy (1).

    Parameters
    ----------
    source
        `"synthetic"`: synthetic photographs with known truth, which need no network. `"retinamnist"`: RetinaMNIST,
        downloaded once. Anything else is a folder of photographs with a CSV file.
    labels
        Of a folder: its CSV file. None (or an empty text) takes the one in the folder.
    missing
        Of a folder: what to do about rows without an image or a label, `"error"` or `"skip"` them.
    **options
        Of `synthetic_fundus`, `retina_mnist` or `fundus_folder`.

    Raises
    ------
    FetchError
        When RetinaMNIST is neither cached nor to be had.
    K2CError
        When there is no such source or option.
    """
    return load_source(source, SOURCES, fundus_folder, "fundus photographs", labels, missing, options)

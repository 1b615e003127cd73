"""RetinaMNIST, in the contract of the kit's fundus data sets."""

from collections.abc import Sequence

import numpy as np

from k2c.datasets.fundus.positives import CLASSES, label_of_grade
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.medmnist import SPLITS, load_medmnist
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
        Classes healthy (0) and retinopathy (1). There are no patient numbers: `patient` numbers the pictures.

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

"""One entry to all chest films."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from k2c.datasets.chest.folder import chest_folder
from k2c.datasets.chest.synthetic import synthetic_chest
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.medmnist import load_medmnist
from k2c.datasets.named_source import load_source

SOURCES: dict[str, Callable[..., LabelledImages]] = {
    "synthetic": synthetic_chest,
    "chestmnist": partial(load_medmnist, "chestmnist"),
}


def load_chest(
    source: str | os.PathLike[str] = "synthetic",
    *,
    labels: str | os.PathLike[str] | None = None,
    missing: str = "error",
    **options: Any,
) -> LabelledImages:
    """Load chest films with 14 findings.

    Parameters
    ----------
    source
        `"synthetic"`: films with known truth, which need no network. `"chestmnist"`: ChestX-ray14 in 28, 64, 128 or
        224 pixels, downloaded once. Anything else is a folder of films with a CSV file.
    labels
        Of a folder: its CSV file. None (or an empty text) takes the one in the folder.
    missing
        Of a folder: what to do about rows without an image or a label, `"error"` or `"skip"` them.
    **options
        Of `synthetic_chest`, `load_medmnist` (`size`, `split`) or `chest_folder`.

    Raises
    ------
    FetchError
        When ChestMNIST is neither cached nor to be had.
    K2CError
        When there is no such source or option.
    """
    return load_source(source, SOURCES, chest_folder, "chest films", labels, missing, options)

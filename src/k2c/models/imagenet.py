"""The 1,000 classes of ImageNet: index, WordNet id and a short name of each."""

from functools import cache

import pandas as pd

from k2c._system.paths import data_dir
from k2c.errors import K2CError, unknown

N_CLASSES = 1000


@cache
def imagenet_classes() -> pd.DataFrame:
    """Return the classes in the order in which every published network numbers them.

    Returns
    -------
    pandas.DataFrame
        1,000 rows, indexed by `index` (0 to 999), with `wnid` (such as `n02123045`, in sorted order) and `name` (the
        first word of the synset, told apart in brackets where two share it). It is shared: make a copy to change it.

    Raises
    ------
    K2CError
        When the table that ships with the kit is missing or damaged.

    References
    ----------
    Russakovsky et al.: ImageNet large scale visual recognition challenge (2015). Miller: WordNet: a lexical
    database for English (1995).
    """
    path = data_dir() / "imagenet/classes.csv"
    try:
        classes = pd.read_csv(path, index_col="index", dtype={"wnid": str, "name": str})
    except (OSError, ValueError) as error:
        raise K2CError(f"The table of ImageNet's classes, {path}, cannot be read. Restore it.") from error
    if list(classes.index) != list(range(N_CLASSES)) or not classes["wnid"].is_monotonic_increasing:
        raise K2CError(f"The table of ImageNet's classes, {path}, is not complete. Restore it.")
    return classes


def class_index(name: str) -> int:
    """Return the index of a class, by its name (`"tiger cat"`) or its WordNet id (`"n02123159"`).

    Raises
    ------
    K2CError
        When there is no such class; the sentence has the nearest name.
    """
    found = _indices().get(name.lower())
    if found is None:
        sentence = unknown("ImageNet class", name, imagenet_classes()["name"])
        # A thousand names are no help; the nearest one is.
        raise K2CError(sentence.split(" There are: ")[0] + " k2c.models.imagenet.imagenet_classes() has all.")
    return found


@cache
def _indices() -> dict[str, int]:
    classes = imagenet_classes()
    return {
        str(word).lower(): int(index)
        for column in ("name", "wnid")
        for index, word in classes[column].items()
    }

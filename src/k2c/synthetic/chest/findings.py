"""The 14 findings of ChestX-ray14, and how often they occur, alone and together."""

from functools import lru_cache

import numpy as np
import pandas as pd

from k2c._system.paths import data_dir
from k2c.errors import K2CError

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
VIEWS = ("PA", "AP")
NO_FINDING = "No Finding"


@lru_cache(maxsize=1)
def _combinations() -> pd.DataFrame:
    table = _facts("combinations.csv").set_index("findings")
    has = [set(name.split("|")) for name in table.index]
    return table.assign(**{name: [int(name in found) for found in has] for name in FINDINGS})


def combinations() -> pd.DataFrame:
    """Return the 801 combinations of findings in the 112,120 films of ChestX-ray14.

    Returns
    -------
    pandas.DataFrame
        The most frequent first, indexed by `findings` (separated by `|`, empty for none): the number of films from
        behind, `PA`, and from the front, `AP`, and one column per finding with 1 or 0.

    References
    ----------
    Wang et al.: ChestX-ray8: Hospital-scale chest X-ray database and benchmarks on weakly-supervised
    classification and localization of common thorax diseases (2017)
    """
    return _combinations().copy()


def cooccurrence() -> pd.DataFrame:
    """Return how many of the 112,120 films have both findings, int64 (14, 14); on the diagonal, the one."""
    table = _combinations()
    has = table[list(FINDINGS)].to_numpy(np.int64)
    films = table[list(VIEWS)].sum(axis=1).to_numpy(np.int64)
    return pd.DataFrame(has.T @ (has * films[:, None]), index=list(FINDINGS), columns=list(FINDINGS))


@lru_cache(maxsize=1)
def films_per_patient() -> pd.Series:
    """Return how many of the 30,805 patients have 1, 2, ... films: int64, indexed by the number of films."""
    return _facts("films_per_patient.csv").set_index("films")["patients"]


def _facts(name: str) -> pd.DataFrame:
    path = data_dir() / "chest" / name
    try:
        return pd.read_csv(path, keep_default_na=False)
    except OSError as error:
        raise K2CError(
            f"{path} is missing. It ships with the kit: restore it with git checkout data."
        ) from error

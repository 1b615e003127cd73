"""Frontal chest films with 14 findings: synthetic ones with known truth, ChestMNIST, or a folder of one's own."""

from k2c.datasets.chest.folder import chest_folder
from k2c.datasets.chest.loading import load_chest
from k2c.datasets.chest.synthetic import synthetic_chest
from k2c.synthetic.chest import FINDINGS, combinations, cooccurrence, films_per_patient

__all__ = [
    "FINDINGS",
    "chest_folder",
    "combinations",
    "cooccurrence",
    "films_per_patient",
    "load_chest",
    "synthetic_chest",
]

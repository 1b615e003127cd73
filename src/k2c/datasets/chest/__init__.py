"""Frontal chest films with 14 findings: synthetic ones with known truth, ChestMNIST, or ChestX-ray14 from a folder."""

from k2c.datasets.chest.findings import FINDINGS, combinations, cooccurrence, films_per_patient
from k2c.datasets.chest.folder import chest_folder
from k2c.datasets.chest.loading import load_chest
from k2c.datasets.chest.twin import DEVICES, Drawing, Film, chest_twin, draw_film

__all__ = [
    "DEVICES",
    "FINDINGS",
    "Drawing",
    "Film",
    "chest_folder",
    "chest_twin",
    "combinations",
    "cooccurrence",
    "draw_film",
    "films_per_patient",
    "load_chest",
]

"""Fundus photographs: synthetic ones with known truth, RetinaMNIST, or a folder of one's own."""

from k2c.datasets.fundus.contrast import normalise_contrast
from k2c.datasets.fundus.folder import fundus_folder
from k2c.datasets.fundus.loading import load_fundus, retina_mnist
from k2c.datasets.fundus.planted import packed_folder, planted_defects, planted_folder, unpacked_folder
from k2c.datasets.fundus.positives import CLASSES, GRADES, label_of_grade
from k2c.datasets.fundus.synthetic import synthetic_fundus

__all__ = [
    "CLASSES",
    "GRADES",
    "fundus_folder",
    "label_of_grade",
    "load_fundus",
    "normalise_contrast",
    "packed_folder",
    "planted_defects",
    "planted_folder",
    "retina_mnist",
    "synthetic_fundus",
    "unpacked_folder",
]

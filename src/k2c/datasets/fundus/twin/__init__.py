"""Synthetic fundus photographs whose truth is known: who is ill, and where each lesion lies."""

from k2c.datasets.fundus.twin.camera import CAMERAS
from k2c.datasets.fundus.twin.eye import Drawing, Eye, draw_eye
from k2c.datasets.fundus.twin.generate import fundus_twin, lesion_masks
from k2c.datasets.fundus.twin.lesions import LESIONS

__all__ = ["CAMERAS", "LESIONS", "Drawing", "Eye", "draw_eye", "fundus_twin", "lesion_masks"]

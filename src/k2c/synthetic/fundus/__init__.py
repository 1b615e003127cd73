"""Synthetic fundus photographs whose truth is known: which eyes have retinopathy, and where each lesion lies."""

from k2c.synthetic.fundus.camera import CAMERAS
from k2c.synthetic.fundus.eye import Eye, EyeDrawing, draw_eye
from k2c.synthetic.fundus.lesions import LESIONS
from k2c.synthetic.fundus.population import EyePopulation

__all__ = ["CAMERAS", "LESIONS", "Eye", "EyeDrawing", "EyePopulation", "draw_eye"]

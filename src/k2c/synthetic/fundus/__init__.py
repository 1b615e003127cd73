"""Synthetic fundus photographs whose truth is known, where each lesion lies, and graders who err."""

from k2c.synthetic.fundus.camera import CAMERAS
from k2c.synthetic.fundus.eye import Eye, EyeDrawing, draw_eye
from k2c.synthetic.fundus.graders import adjudicate, difficulty, grade_eyes
from k2c.synthetic.fundus.lesions import LESIONS
from k2c.synthetic.fundus.population import EyePopulation

__all__ = [
    "CAMERAS",
    "LESIONS",
    "Eye",
    "EyeDrawing",
    "EyePopulation",
    "adjudicate",
    "difficulty",
    "draw_eye",
    "grade_eyes",
]

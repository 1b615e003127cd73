"""Students' notebooks of one lecture, each run in a process of its own and judged outside of it."""

from k2c.runs.grading.confinement import Confinement, Limits
from k2c.runs.grading.grade import Grade, grade_folder

__all__ = ["Confinement", "Grade", "Limits", "grade_folder"]

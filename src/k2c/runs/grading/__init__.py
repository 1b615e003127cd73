"""Students' notebooks of one lecture, each run in a process of its own and judged outside of it."""

from k2c.runs.grading.confinement import Confinement, SubmissionLimits
from k2c.runs.grading.grade import grade_folder
from k2c.runs.reports.grade import Grade

__all__ = ["Confinement", "Grade", "SubmissionLimits", "grade_folder"]

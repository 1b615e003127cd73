"""Students' notebooks of one lecture, each run inside an engine that keeps it in, and judged outside of it."""

from k2c.runs.grading.confinement import Engine, SubmissionLimits
from k2c.runs.grading.engines import ENGINES, Unconfined, find_engine
from k2c.runs.grading.exports import read_export
from k2c.runs.grading.grade import grade_export
from k2c.runs.reports.grade import Grade

__all__ = [
    "ENGINES",
    "Engine",
    "Grade",
    "SubmissionLimits",
    "Unconfined",
    "find_engine",
    "grade_export",
    "read_export",
]

"""What a lecture is: its entry in the syllabus, its claims and results, its exercises and what is solved."""

from k2c.course.exercises import check
from k2c.course.lecture import open_lecture
from k2c.course.overview import progress
from k2c.course.results import guard, measured, record, write_measured

__all__ = ["check", "guard", "measured", "open_lecture", "progress", "record", "write_measured"]

"""Kernels to Clinic: what the lecture notebooks import. Light: torch loads with the subpackage that needs it."""

from k2c.course.exercises import check
from k2c.course.lecture import open_lecture
from k2c.course.results import guard, measured, record

__version__ = "0.1.0"
__all__ = ["__version__", "check", "guard", "measured", "open_lecture", "record"]

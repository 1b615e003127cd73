"""Everything that people look at, a module a kind of picture: `from k2c.display import metrics, text`."""

from k2c.display.course import progress

__all__ = ["progress"]

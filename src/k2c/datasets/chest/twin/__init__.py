"""Synthetic chest films whose truth is known: which findings there are, and where each lies."""

from k2c.datasets.chest.twin.devices import DEVICES
from k2c.datasets.chest.twin.film import Drawing, Film, draw_film
from k2c.datasets.chest.twin.generate import chest_twin

__all__ = ["DEVICES", "Drawing", "Film", "chest_twin", "draw_film"]

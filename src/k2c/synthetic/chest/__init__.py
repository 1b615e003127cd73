"""Synthetic chest films whose truth is known: which findings there are, and where each lies."""

from k2c.synthetic.chest.devices import DEVICES
from k2c.synthetic.chest.film import Film, FilmDrawing, draw_film
from k2c.synthetic.chest.findings import (
    FINDINGS,
    NO_FINDING,
    VIEWS,
    combinations,
    cooccurrence,
    films_per_patient,
)

__all__ = [
    "DEVICES",
    "FINDINGS",
    "NO_FINDING",
    "VIEWS",
    "Film",
    "FilmDrawing",
    "combinations",
    "cooccurrence",
    "draw_film",
    "films_per_patient",
]

"""How much of a network's evidence lies on a finding, against controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k2c.errors import K2CError
from k2c.models.explain import share_inside


@dataclass(frozen=True)
class Inside:
    """Evidence inside masks, for the positives of one finding.

    Attributes
    ----------
    own
        For each positive, the fraction of the evidence inside its own mask over the mask's fraction of the area:
        1 by area alone, float64 (N,).
    other
        The same with the mask of another positive of the finding: what knowing the usual place gives, float64 (N,).
    """

    own: NDArray[np.float64]
    other: NDArray[np.float64]

    @property
    def difference(self) -> NDArray[np.float64]:
        """What the evidence knows about *this* film: own minus other."""
        return self.own - self.other


def enlarged(small: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return maps of cells, (N, cells, cells), as maps of pixels, (N, size, size): each pixel has its cell's value."""
    row = np.arange(size) * small.shape[1] // size
    return small[:, row][:, :, row]


def evidence_inside(maps: NDArray[np.float32], masks: Sequence[NDArray[np.bool_]], seed: int = 0) -> Inside:
    """Measure positive evidence inside each mask, and inside the mask of another of the same films.

    Parameters
    ----------
    maps
        Evidence for one finding, float32 (N, S, S), of films that all have it. Only what is positive counts.
    masks
        Where the finding is in each, bool (S, S).
    seed
        Chooses whose mask is the control. Every film gets another's.

    Raises
    ------
    K2CError
        For fewer than two films, an empty mask, or shapes that differ.
    """
    if len(masks) < 2 or len(maps) != len(masks):
        raise K2CError(
            f"There are {len(maps)} maps and {len(masks)} masks. Give one each, of two films or more."
        )
    if any(mask.shape != maps[0].shape or not mask.any() for mask in masks):
        raise K2CError("Each mask must have the shape of its map and mark at least one pixel.")
    order = np.random.default_rng(seed).permutation(len(masks))
    partner = np.empty(len(masks), int)
    partner[order] = np.roll(order, 1)  # one circle through all: nobody is his own partner
    own = [_over_area(each, masks[row]) for row, each in enumerate(maps)]
    other = [_over_area(each, masks[partner[row]]) for row, each in enumerate(maps)]
    return Inside(np.array(own), np.array(other))


def _over_area(explanation: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    return share_inside(explanation, mask) / float(mask.mean())

"""Patterns without a shape of their own: clouds of pigment, mottling, choroidal vessels, grain."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Layer: TypeAlias = NDArray[np.float32]

TILES = 3  # fields of view that the periodic pattern covers, so that two eyes rarely show the same piece
GRAIN = "grain"
# Wavelengths in fields of view (shortest, longest), and the power of the spectrum between them.
BANDS: dict[str, tuple[float, float, float]] = {
    "cloud": (0.12, 0.9, 1.6),
    "mottle": (0.02, 0.12, 1.0),
    "choroid": (0.05, 0.14, 0.0),
}
STRETCH = {"choroid": 2.0}  # choroidal vessels run more across than down


@lru_cache(maxsize=16)
def pattern(name: str, size: int) -> Layer:
    """Return a periodic pattern with mean 0 and standard deviation 1, for images of `size` pixels.

    Returns
    -------
    numpy.ndarray
        float32 (3 size, 3 size). The same pattern whatever the size, but for `grain`, which is of pixels.
    """
    rng = np.random.default_rng([20160414, sorted([*BANDS, GRAIN]).index(name)])
    side = TILES * size
    if name == GRAIN:
        return _standard(rng.standard_normal((side, side), np.float32))
    shortest, longest, power = BANDS[name]
    most = int(TILES / shortest)
    down = np.fft.fftfreq(2 * most + 1, 1 / (2 * most + 1))[:, None]
    stretch = STRETCH.get(name, 1.0)
    cycles = np.hypot(down / stretch, np.arange(most + 1)[None, :] * stretch)
    noise = rng.standard_normal((2, *cycles.shape))
    shape = np.where((cycles >= TILES / longest) & (cycles <= most), cycles.clip(1) ** -power, 0)
    spectrum = np.zeros((side, side // 2 + 1), np.complex128)
    kept = min(most, side // 2)
    rows = np.r_[0 : kept + 1, -kept:0]
    spectrum[rows[:, None], np.arange(kept + 1)] = ((noise[0] + 1j * noise[1]) * shape)[rows, : kept + 1]
    return _standard(np.fft.irfft2(spectrum, (side, side)))


def piece(name: str, size: int, rng: np.random.Generator) -> Layer:
    """Return a random piece of a pattern, float32 (size, size), turned or mirrored by chance (a view)."""
    across, down = rng.random(2)
    flips = rng.integers(8)
    whole = pattern(name, size)
    left, top = int(across * (TILES - 1) * size), int(down * (TILES - 1) * size)
    cut = whole[top : top + size, left : left + size]
    if flips & 1:
        cut = cut[::-1]
    if flips & 2:
        cut = cut[:, ::-1]
    return cut.T if flips & 4 and name not in STRETCH else cut


def _standard(values: np.ndarray) -> Layer:
    return ((values - values.mean()) / values.std()).astype(np.float32)

"""Figures of features that people designed: MFCC of vowels, and SIFT matches between two photographs."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import ConnectionPatch

from k2c.display.style import COLOURS, show_compact

_SECONDS = 0.02  # of each waveform
_MOST_MATCHES = 40


def show_vowels(waves: Any, features: Any, names: Sequence[str], *, rate: int, title: str) -> None:
    """Draw a few sounds twice: the first part of each waveform, and the features made of it.

    Parameters
    ----------
    waves
        (N, samples).
    features
        (N, coefficients), such as the mean MFCC of each sound.
    names
        N names, "vowel, pitch". Sounds whose names begin with the same word have the same colour.
    rate
        Samples per second.
    """
    vowels = list(dict.fromkeys(name.split(",")[0] for name in names))
    palette = [COLOURS["blue"], COLOURS["red"], COLOURS["green"], COLOURS["orange"], COLOURS["purple"]]
    _, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    n_shown = int(_SECONDS * rate)
    for number, (wave, row, name) in enumerate(zip(waves, features, names, strict=True)):
        vowel = vowels.index(name.split(",")[0])
        earlier = sum(other.split(",")[0] == vowels[vowel] for other in names[:number])
        look = {"color": palette[vowel % len(palette)], "linestyle": ("-", "--", ":")[earlier % 3]}
        left.plot(1000 * np.arange(n_shown) / rate, np.asarray(wave)[:n_shown] - 2.2 * number, **look)
        right.plot(np.arange(1, len(row)), row[1:], marker="o", label=name, **look)
    left.set(title="the sound: what the microphone hears", xlabel="milliseconds", yticks=[])
    right.set(title="12 numbers: its MFCC", xlabel="coefficient", ylabel="value")
    right.legend()
    plt.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def show_matches(first: Any, second: Any, points: tuple[Any, Any], right: Any, *, title: str) -> None:
    """Draw two photographs side by side, and a line for each match: green where right, orange where wrong.

    Parameters
    ----------
    first, second
        (height, width) each, from 0 to 1.
    points
        (row, column) of each match, (M, 2), in the first and in the second photograph.
    right
        bool (M,): whether the match is the same place of the scene. Of many, evenly chosen ones are drawn.
    """
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 5.3))
    names = ("the photograph", "turned, shrunk, darkened")
    for panel, image, name in zip(panels, (first, second), names, strict=True):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
        panel.set_title(name, fontsize=13)
        panel.set_axis_off()
    chosen = np.linspace(0, len(right) - 1, min(_MOST_MATCHES, len(right))).round().astype(int)
    for place in chosen:
        line = ConnectionPatch(
            xyA=points[0][place][::-1], xyB=points[1][place][::-1], coordsA="data", coordsB="data",
            axesA=panels[0], axesB=panels[1], linewidth=1.3,
            color=COLOURS["green"] if right[place] else COLOURS["red"],
        )  # fmt: skip
        figure.add_artist(line)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()

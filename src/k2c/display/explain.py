"""What a network looks at, and how far it can be believed: filters in colour, maps over images, reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from k2c.display.photographs import draw_photograph
from k2c.display.style import COLOURS, show_compact


def show_colour_filters(filters: Any, *, title: str) -> None:
    """Draw the filters that see red, green and blue.

    Parameters
    ----------
    filters
        (N, h, w, 3), 0 to 1; 0.5 in all three channels (grey) is a weight of 0.
    """
    filters = np.asarray(filters)
    columns = max(min(16, len(filters)), 1)
    rows = -(-len(filters) // columns)
    zoom = -(-24 // filters.shape[1])  # pixels a weight, so that the gaps between the filters stay narrow
    height, width = (zoom * side for side in filters.shape[1:3])
    wall = np.ones((rows * (height + 4) - 4, columns * (width + 4) - 4, 3))
    for number, one in enumerate(filters):
        top, left = (number // columns) * (height + 4), (number % columns) * (width + 4)
        wall[top : top + height, left : left + width] = one.repeat(zoom, axis=0).repeat(zoom, axis=1)
    _, axes = plt.subplots(figsize=(11.5, 11.5 * wall.shape[0] / wall.shape[1] + 1.1))
    axes.imshow(wall)
    axes.set_title(title)
    size = " × ".join(str(side) for side in filters.shape[1:3])
    axes.set(xlabel=f"{len(filters)} filters of {size} weights, each in red, green and blue")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    plt.show()


def show_heat(
    image: Any,
    maps: Mapping[str, Any],
    *,
    title: str,
    columns: int = 4,
) -> None:
    """Draw maps over an image, each on a scale of its own, from nothing (the image in grey) to its largest value.

    Parameters
    ----------
    image
        (S, S, 3), 0 to 255.
    maps
        (S, S) arrays by caption.
    columns
        Maps in a row.
    """
    columns = max(min(columns, len(maps)), 1)
    rows = -(-len(maps) // columns)
    maps = {
        name if np.max(values) > 0 else f"{name} (nothing above 0)": values for name, values in maps.items()
    }
    lines = max(name.count("\n") + 1 for name in maps)
    inches = 11.0 / max(columns, 3)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * inches, rows * (inches + 0.26 * lines) + 0.5), squeeze=False
    )
    grey = np.repeat(np.asarray(image).mean(axis=2, keepdims=True), 3, axis=2)
    for place in axes.flat:
        place.set_axis_off()
    for place, (name, values) in zip(axes.flat, maps.items(), strict=False):
        draw_photograph(place, (0.5 * grey + 0.5 * 255).astype(np.uint8))
        heat = np.clip(np.asarray(values, dtype=float), 0, None)
        heat /= heat.max() or 1.0
        place.imshow(heat, cmap="magma_r", vmin=0, vmax=1, alpha=0.8 * heat**0.5, interpolation="auto")
        place.set_xlabel(name, fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_reliability(table: pd.DataFrame, *, title: str, captions: Sequence[str] = ()) -> None:
    """Draw how often the network is right, against how sure it is; the more examples, the larger the point.

    Parameters
    ----------
    table
        What `k2c.metrics.reliability` returns: `confidence`, `right`, `examples`, one row a bin.
    captions
        Lines for the corner, such as the mean confidence.
    """
    figure, (axes, counts) = plt.subplots(2, 1, figsize=(6.6, 6.4), height_ratios=(3, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linestyle="--", linewidth=1.6, label="as sure as right")
    axes.plot(table["confidence"], table["right"], color=COLOURS["blue"], label="the network")
    area = 25 + 375 * table["examples"] / table["examples"].max()
    axes.scatter(table["confidence"], table["right"], area, color=COLOURS["blue"], zorder=3)
    axes.vlines(
        table["confidence"], table["confidence"], table["right"], color=COLOURS["orange"], linewidth=3
    )
    axes.set(ylim=(-0.03, 1.03), ylabel="fraction of right answers")
    axes.legend(loc="lower right")
    axes.text(0.02, 0.97, "\n".join(captions), transform=axes.transAxes, va="top", fontsize=12)
    middles, widths = (table["low"] + table["high"]) / 2, 0.9 * (table["high"] - table["low"])
    counts.bar(middles, table["examples"], widths, color=COLOURS["sky"])
    counts.set(xlabel="confidence", ylabel="examples", xlim=(-0.02, 1.02))
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()

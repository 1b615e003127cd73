"""Photographs, how a network gets to see them, and what it takes them for."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from k2c.display.images import SIGNED
from k2c.display.style import COLOURS, show_compact


def show_photographs(
    photographs: Mapping[str, Any] | Sequence[Any],
    captions: Sequence[str] | None = None,
    *,
    title: str,
    columns: int = 4,
) -> None:
    """Draw photographs side by side, each with a caption below it.

    Parameters
    ----------
    photographs
        (H, W, 3) or (H, W) arrays, 0 to 255; by name or not.
    captions
        One a photograph; their names where it is left out.
    columns
        Photographs in a row.
    """
    named = photographs if isinstance(photographs, Mapping) else dict(enumerate(photographs))
    texts = [str(name) for name in named] if captions is None else list(captions)
    columns = max(min(columns, len(named)), 1)
    rows = -(-len(named) // columns)
    lines = max(text.count("\n") + 1 for text in texts)
    inches = 12.5 / max(columns, 3)
    size = (columns * inches, rows * (0.82 * inches + 0.25 * lines) + 0.6)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for place in axes.flat:
        place.set_axis_off()
    for place, image, text in zip(axes.flat, named.values(), texts, strict=False):
        draw_photograph(place, image)
        place.set_xlabel(text, fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_preprocessing(image: Any, square: Any, inputs: Any, *, kept: float, title: str) -> None:
    """Draw what becomes of a photograph before a network reads it.

    Parameters
    ----------
    image
        (H, W, 3), 0 to 255, as it was taken.
    square
        (S, S, 3), 0 to 255: resized and cropped.
    inputs
        (3, S, S): standardised channels, red, green and blue.
    kept
        The fraction of the shorter side that the crop keeps.
    """
    channels = np.asarray(inputs, dtype=float)
    figure, axes = plt.subplots(1, 5, figsize=(13.0, 3.3), width_ratios=(1.5, 1, 1, 1, 1))
    height, width = image.shape[:2]
    side = kept * min(height, width)
    draw_photograph(axes[0], image)
    corner = ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5)
    axes[0].add_patch(Rectangle(corner, side, side, fill=False, edgecolor=COLOURS["yellow"], linewidth=2.5))
    draw_photograph(axes[1], square)
    most = float(np.abs(channels).max()) or 1.0
    for place, channel in zip(axes[2:], channels, strict=True):
        drawn = place.imshow(channel, cmap=SIGNED, vmin=-most, vmax=most)
    figure.colorbar(drawn, ax=axes, fraction=0.02, pad=0.01, shrink=0.75)
    names = (f"as taken\n{height} × {width}", f"resized, cropped\n{len(square)} × {len(square)}")
    for place, name in zip(axes, (*names, "red", "green", "blue"), strict=True):
        place.set_title(name, fontsize=13, loc="center")
        place.grid(visible=False)
        place.spines[:].set_visible(False)
        place.set(xticks=[0, place.images[0].get_array().shape[1] - 1])
        place.set(yticks=[0, place.images[0].get_array().shape[0] - 1], xlabel="column")
        place.tick_params(labelsize=10, length=2)
    for place in axes[2:]:
        place.set_yticks([])  # those of the square beside them
    axes[0].set_ylabel("row")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_top_classes(
    photographs: Mapping[str, Any],
    top: pd.DataFrame,
    *,
    title: str,
    right: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Draw photographs, and beside each the most probable classes as bars.

    Parameters
    ----------
    photographs
        (H, W, 3) arrays, 0 to 255, by name.
    top
        What `k2c.models.classify.top_classes` returns with these names: `image`, `name`, `probability`.
    right
        Names of classes that are right, by photograph; their bars are green.
    """
    columns = 2 if len(photographs) > 1 else 1
    rows = -(-len(photographs) // columns)
    size = (13.0 if columns > 1 else 10.0, rows * (2.5 if columns > 1 else 3.3) + 1.0)
    figure, axes = plt.subplots(
        rows, 2 * columns, figsize=size, width_ratios=[1, 1.15] * columns, squeeze=False
    )
    for place in axes.flat:
        place.set_axis_off()
    pairs = axes.reshape(-1, 2)
    for (left, bars), (name, image) in zip(pairs, photographs.items(), strict=False):
        draw_photograph(left, image)
        left.set_title(str(name), fontsize=13, loc="center")
        bars.set_axis_on()
        _draw_bars(bars, top[top["image"] == name], (right or {}).get(name, ()))
    for bars in [pair[1] for pair in pairs[: len(photographs)]][-columns:]:
        bars.set_xlabel("probability")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def draw_photograph(axes: Any, image: Any) -> None:
    """Draw a photograph into axes, uint8 (H, W, 3) or grey (H, W), without ticks."""
    image = np.asarray(image)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="auto")
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _draw_bars(axes: Any, rows: pd.DataFrame, right: Sequence[str]) -> None:
    places = np.arange(len(rows))
    colours = [COLOURS["green"] if name in right else COLOURS["blue"] for name in rows["name"]]
    bars = axes.barh(places, rows["probability"], color=colours, height=0.72)
    axes.set_yticks(places, rows["name"], fontsize=12)
    axes.bar_label(bars, labels=[f"{p:.0%}" for p in rows["probability"]], padding=3, fontsize=11)
    axes.set(xlim=(0, 1.12), ylim=(len(rows) - 0.4, -0.6), xticks=[0, 0.5, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.tick_params(axis="x", labelsize=10)
    axes.grid(axis="y", visible=False)

"""Drawings of deep networks, block by block, and of one block with its branches."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import FancyBboxPatch, Rectangle

from k2c.display.style import COLOURS

_BRANCH_COLOURS = ("blue", "green", "orange", "purple", "red", "sky")


def draw_blocks(blocks: pd.DataFrame, input_shape: tuple[int, ...], *, title: str) -> None:
    """Draw a network from left to right, one box per block, and below each its cost.

    The height of a box is the square root of the side of its maps, the width that of their number.

    Parameters
    ----------
    blocks
        What `k2c.models.describe.block_table` returns: `output_shape`, `parameters`, `multiply_adds`.
    input_shape
        The shape of one example: `(3, 224, 224)`.
    """
    shapes = [tuple(input_shape), *blocks["output_shape"]]
    names = ["image", *blocks.index]
    figure, (tower, weights, work) = plt.subplots(
        3, 1, figsize=(13.0, 7.4), height_ratios=(3.7, 1, 1), sharex=True
    )
    for place, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        _draw_box(tower, place, str(name), shape)
    tower.plot([0, len(names) - 1], [0, 0], color=COLOURS["grey"], linewidth=1.5, zorder=0)
    tower.text(-0.62, -10.4, "maps", ha="right", va="top", fontsize=12)
    _name_sides(tower, shapes)
    tower.set(xlim=(-0.6, len(names) - 0.4), ylim=(-19.0, 11.8))
    tower.set_axis_off()
    for axes, column, colour in ((weights, "parameters", "purple"), (work, "multiply_adds", "green")):
        values = np.asarray([0, *blocks[column]], dtype=float)
        bars = axes.bar(range(len(names)), values, color=COLOURS[colour], width=0.7)
        axes.bar_label(bars, [_short(value) for value in values], fontsize=12, padding=2)
        axes.set(ylim=(0, 1.3 * values.max()), yticks=[], xticks=[])
        axes.set_ylabel(f"{column.replace('_', '-')}\n{_short(values.sum())} in all", fontsize=12)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
    work.set_xlabel("from the image to the logits")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def _draw_box(axes: Any, place: int, name: str, shape: tuple[int, ...]) -> None:
    pooled = "pool" in name
    colour = COLOURS["grey"] if place == 0 else COLOURS["orange" if pooled else "blue"]
    if len(shape) == 3:
        height, width = 1.25 * shape[1] ** 0.5, 0.02 * shape[0] ** 0.5 + 0.06
    else:
        height, width, colour = 0.3 * shape[0] ** 0.5, 0.12, COLOURS["orange" if pooled else "green"]
    axes.add_patch(
        Rectangle(
            (place - width / 2, -height / 2),
            width,
            height,
            facecolor=colour,
            edgecolor="#222222",
            linewidth=0.8,
        )
    )
    axes.text(place, -10.4, str(shape[0]), ha="center", va="top", fontsize=12, fontweight="bold")
    words = name.replace("inception", "incep. ")
    axes.text(place, -12.4, words, ha="center", va="top", fontsize=12, rotation=90)


def _name_sides(axes: Any, shapes: Sequence[tuple[int, ...]]) -> None:
    """Write the side of the maps once above each run of boxes that share it."""
    place = 0
    for side, run in groupby(shape[1] if len(shape) == 3 else 0 for shape in shapes):
        length = len(list(run))
        if side:
            left, right = place - 0.42, place + length - 0.58
            axes.plot([left, right], [10.0, 10.0], color=COLOURS["grey"], linewidth=1.4)
            words = f"{side} × {side}" if length > 1 else str(side)
            axes.text((left + right) / 2, 10.2, words, ha="center", va="bottom", fontsize=12)
        place += length


def draw_branches(layers: pd.DataFrame, input_shape: tuple[int, ...], *, title: str) -> None:
    """Draw a block whose branches all read the same maps, and whose results are stacked.

    Parameters
    ----------
    layers
        The rows of `k2c.models.layer_table` that belong to the block. The names, without what all of them
        begin with, begin with the branch.
    input_shape
        The shape of the maps that go in, `(192, 28, 28)`.
    """
    branches = _branches(layers, input_shape[0])
    deepest = max(len(steps) for steps in branches)
    _, axes = plt.subplots(figsize=(12.5, 1.3 * len(branches) + 0.8))
    middle = (len(branches) - 1) / 2
    _card(axes, 0, middle, f"{_size(input_shape)}\ncome in", COLOURS["grey"], 0.72)
    out, total = deepest + 0.8, sum(steps[-1]["maps"] for steps in branches)
    top = 0.5
    for row, steps in enumerate(branches):
        height, colour = len(branches) - 1 - row, COLOURS[_BRANCH_COLOURS[row % 6]]
        _arrow(axes, (0.36, middle), (1 - 0.38, height))
        for number, step in enumerate(steps):
            _card(axes, 1 + number, height, step["words"], colour, 0.76)
            if number:
                _arrow(axes, (number + 0.38, height), (number + 0.62, height))
        part = steps[-1]["maps"] / total * len(branches)
        below = len(branches) - top - part
        axes.add_patch(Rectangle((out - 0.1, below), 0.28, part, facecolor=colour, edgecolor="#222222"))
        axes.text(out + 0.24, below + part / 2, str(steps[-1]["maps"]), ha="left", va="center", fontsize=12)
        _arrow(axes, (len(steps) + 0.38, height), (out - 0.12, below + part / 2))
        top += part
    side = " × ".join(str(length) for length in input_shape[1:])
    words = f"stacked:\n{total} × {side}"
    axes.text(out + 0.5, middle, words, ha="left", va="center", fontsize=13, fontweight="bold")
    axes.set(xlim=(-0.42, out + 1.3), ylim=(-0.65, len(branches) - 0.35))
    axes.set_axis_off()
    axes.set_title(title)
    plt.show()


def _branches(layers: pd.DataFrame, maps_in: int) -> list[list[dict[str, Any]]]:
    """Return the steps of each branch: convolutions and poolings, with the words in their box."""
    parts = [str(name).split(".") for name in layers.index]
    common = 0
    while len({tuple(part[: common + 1]) for part in parts}) == 1:
        common += 1
    found: dict[str, list[dict[str, Any]]] = {}
    for part, row in zip(parts, layers.to_dict("records"), strict=True):
        steps = found.setdefault(part[common], [])
        maps = steps[-1]["maps"] if steps else maps_in
        if row["kind"].startswith("Conv"):
            side = round((row["parameters"] / (maps * row["output_shape"][0])) ** 0.5)
            words = f"{side} × {side} convolution"
        elif "Pool" in row["kind"]:
            words = "3 × 3 max-pooling" if "Max" in row["kind"] else "mean-pooling"
        else:
            if steps and row["parameters"]:
                steps[-1]["parameters"] += row["parameters"]
            continue
        steps.append({"maps": row["output_shape"][0], "what": words, "parameters": row["parameters"]})
    for step in (step for steps in found.values() for step in steps):
        count = f"{step['parameters']:,} parameters" if step["parameters"] else "nothing to learn"
        step["words"] = f"{step['what']}\n{step['maps']} maps\n{count}"
    return list(found.values())


def _card(axes: Any, x: float, y: float, words: str, colour: str, width: float) -> None:
    style = "round,pad=0,rounding_size=0.06"
    for face, alpha in (("white", 1.0), (colour, 0.22)):
        axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - 0.37),
                width,
                0.74,
                boxstyle=style,
                facecolor=face,
                alpha=alpha,
                edgecolor="none",
            )
        )
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.37), width, 0.74, boxstyle=style, fill=False, edgecolor="#222222"
        )
    )
    axes.text(x, y, words, ha="center", va="center", fontsize=12)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": "#222222", "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape)


def _short(value: float) -> str:
    """Return a count in at most four characters: 11M, 0.9M, 96k."""
    if value >= 1e9:
        return f"{value / 1e9:.1f}G"
    if value >= 1e6:
        return f"{value / 1e6:.0f}M" if value >= 9.5e6 else f"{value / 1e6:.1f}M"
    if value >= 1e3:
        return f"{value / 1e3:.0f}k"
    return f"{value:.0f}" if value else ""

"""A drawing of a network: a box for every block of feature maps, a bar for every vector, and what lies between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import Polygon

from k2c.display.style import COLOURS

# How a slide calls these layers; others keep the name of their class.
_NAMES = {
    "Conv2d": "convolution",
    "MaxPool2d": "max-pooling",
    "AvgPool2d": "mean-pooling",
    "AdaptiveAvgPool2d": "mean-pooling",
    "Linear": "linear",
    "Tanh": "tanh",
    "BatchNorm2d": "batch norm",
}
# These give out as many numbers as they take in, so they are written at the stage before them.
_SAME_SIZE = {"Tanh", "ReLU", "Sigmoid", "GELU", "Dropout", "BatchNorm2d", "Flatten", "Softmax", "Identity"}
_SILENT = {"Flatten", "Dropout", "Identity"}
_SLANT = 0.35  # how far back the third dimension is drawn
_GAP = 15.0  # between two stages, in pixels of a feature map


@dataclass
class _Stage:
    shape: tuple[int, ...]
    colour: str = COLOURS["grey"]
    words: list[str] = field(default_factory=list)
    parameters: int = 0


def draw_network(
    layers: pd.DataFrame,
    input_shape: tuple[int, ...],
    *,
    title: str,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Draw a network from left to right, with the size of everything that flows and the parameters of each step.

    Height and width of the boxes are to scale; so is their thickness, the number of feature maps, on a scale of
    its own. The height of a bar is the square root of the vector's length.

    Parameters
    ----------
    layers
        What `k2c.models.layer_table` returns: `kind`, `output_shape` and `parameters`, by layer.
    input_shape
        The shape of one example: `(1, 28, 28)`.
    notes
        A word more for some layers, by name: `{"conv1": "5 × 5"}`.
    """
    stages = _stages(layers, input_shape, notes or {})
    _, axes = plt.subplots(figsize=(13.0, 5.0))
    tallest = max(_height(stage.shape) for stage in stages)
    x = 0.0
    for number, stage in enumerate(stages):
        if number:
            _arrow(axes, x, stage, tallest)
            x += _GAP
        x += _draw_stage(axes, x, stage, tallest)
    axes.set(xlim=(-3, x + 3), ylim=(-0.72 * tallest - 8, 0.5 * tallest + 21), aspect="equal")
    axes.set_axis_off()
    axes.set_title(title)
    plt.show()


def _stages(layers: pd.DataFrame, input_shape: tuple[int, ...], notes: Mapping[str, str]) -> list[_Stage]:
    stages = [_Stage(tuple(input_shape))]
    for name, kind, shape, parameters in zip(
        layers.index, layers["kind"], layers["output_shape"], layers["parameters"], strict=True
    ):
        word = " ".join(filter(None, (_NAMES.get(kind, kind), notes.get(str(name)))))
        if kind not in _SAME_SIZE:
            stages.append(_Stage(tuple(shape), _colour(kind)))
        if kind not in _SILENT:
            stages[-1].words.append(word)
        stages[-1].parameters += int(parameters)
    return stages


def _colour(kind: str) -> str:
    if "Conv" in kind:
        return COLOURS["blue"]
    return COLOURS["orange"] if "Pool" in kind else COLOURS["green"]


def _height(shape: tuple[int, ...]) -> float:
    return float(shape[1]) if len(shape) == 3 else 1.4 * float(shape[0]) ** 0.5


def _draw_stage(axes: Any, x: float, stage: _Stage, tallest: float) -> float:
    """Draw the box or bar whose left side is at x, with its size below, and return how wide it is."""
    height = _height(stage.shape)
    back = _SLANT * stage.shape[2] if len(stage.shape) == 3 else 0.0
    thick = max(0.25 * stage.shape[0], 0.8) if len(stage.shape) == 3 else 2.2
    low, high = -height / 2 - back / 2, height / 2 - back / 2
    front = [(x, low), (x + thick, low), (x + thick, high), (x, high)]
    side = [
        (x + thick, low),
        (x + thick + back, low + back),
        (x + thick + back, high + back),
        (x + thick, high),
    ]
    top = [(x, high), (x + thick, high), (x + thick + back, high + back), (x + back, high + back)]
    for corners, alpha in ((side, 0.35), (top, 0.55), (front, 0.8)):
        axes.add_patch(Polygon(corners, facecolor="white", edgecolor="none"))
        axes.add_patch(Polygon(corners, facecolor=stage.colour, alpha=alpha, edgecolor="none"))
        axes.add_patch(Polygon(corners, fill=False, edgecolor="#222222", linewidth=1.0, joinstyle="round"))
    text = " × ".join(f"{size}" for size in stage.shape)
    if not stage.words:
        axes.text(x + (thick + back) / 2, -0.72 * tallest - 4, "input", ha="center", va="top", fontsize=12)
    middle = x + (thick + back) / 2
    axes.text(middle, -0.72 * tallest, text, ha="center", va="top", fontsize=13, fontweight="bold")
    return thick + back


def _arrow(axes: Any, x: float, stage: _Stage, tallest: float) -> None:
    axes.annotate(
        "",
        xy=(x + _GAP - 1, 0),
        xytext=(x + 1, 0),
        arrowprops={"arrowstyle": "-|>", "color": "#222222", "linewidth": 1.6},
    )
    words = "\n".join(stage.words)
    count = f"\n{stage.parameters:,}\nparameters" if stage.parameters else ""
    axes.text(x + _GAP / 2, 0.5 * tallest + 19, words + count, ha="center", va="top", fontsize=12)

"""Figures of the lecture on gradients: a decision boundary, and the curves of training loops to compare."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from k2c.display.style import COLOURS


def show_decision(points: Any, labels: Any, scores: Callable[[Any], Any], *, title: str) -> None:
    """Draw points of two classes, and where a classifier changes from one to the other.

    Parameters
    ----------
    points, labels
        (N, 2) numbers, and (N,) with 0 or 1.
    scores
        Given points, (M, 2), returns one logit of class 1 against class 0 for each, (M,).
    """
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    x, y = np.meshgrid(np.linspace(low[0], high[0], 160), np.linspace(low[1], high[1], 160))
    z = np.asarray(scores(np.column_stack([x.ravel(), y.ravel()]))).reshape(x.shape)
    _, axes = plt.subplots(figsize=(8.5, 4.8))
    axes.contourf(x, y, z > 0, levels=[-0.5, 0.5, 1.5], colors=[COLOURS["blue"], COLOURS["red"]], alpha=0.15)
    axes.contour(x, y, z, levels=[0.0], colors="#222222", linewidths=2)
    for value, colour, marker in ((0, "blue", "o"), (1, "red", "^")):
        chosen = points[labels == value]
        axes.plot(*chosen.T, marker, color=COLOURS[colour], markersize=6, label=f"class {value}")
    axes.set(xlabel="first feature", ylabel="second feature")
    axes.set_title(title, pad=34)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.2)  # over no point
    plt.show()


def show_loops(loops: Mapping[str, Sequence[Any]], *, title: str) -> None:
    """Draw the loss curves of several training loops, a panel each, on one logarithmic axis.

    Parameters
    ----------
    loops
        By name, three series over the epochs: the training loss, the validation loss, and the validation loss
        measured once more.
    """
    figure, panels = plt.subplots(1, len(loops), figsize=(13.0, 5.4), squeeze=False, sharey=True)
    for axes, (name, curves) in zip(panels[0], loops.items(), strict=True):
        styles = (
            ("training", "blue", "-", 2.0),
            ("validation", "red", "-", 5.0),  # wide, so that it shows where the next one lies on it
            ("validation, again", "sky", "--", 2.0),
        )
        for values, (label, colour, style, width) in zip(curves, styles, strict=True):
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, style, color=COLOURS[colour], linewidth=width, label=label)
        axes.set(title=name, xlabel="epoch", yscale="log")
    low, high = panels[0, 0].get_ylim()
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 1.5, 3, 5, 10, 20, 50, 100) if low <= tick <= high]
    panels[0, 0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0, 0].minorticks_off()
    panels[0, 0].set_ylabel("loss")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()

"""What a picture shows, in words, for those who cannot see it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

MAX_PANELS = 6  # panels named one by one; more are counted
MAX_NAMES = 6


def describe_figure(figure: Figure) -> str:
    """Return a figure's alternative text: its titles, what is drawn, over what axes, and where each line leads.

    >>> from matplotlib.figure import Figure
    >>> figure = Figure()
    >>> _ = figure.subplots().plot([1, 2], [0.5, 0.75], label="training")
    >>> _ = figure.axes[0].set(title="Accuracy", xlabel="epoch")
    >>> describe_figure(figure)
    'Accuracy: line chart over epoch; training from 0.5 to 0.75.'
    """
    panels = [axes for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"]
    told = list(dict.fromkeys(words for axes in panels if (words := _describe_panel(axes))))
    if len(told) > MAX_PANELS:
        told = [*told[:MAX_PANELS], f"and {len(told) - MAX_PANELS} more"]
    count = f"{len(panels)} panels. " if len(panels) > 1 else ""
    title = figure.get_suptitle()
    text = (f"{_one_line(title)}. " if title else "") + count + "; ".join(told)
    return text.strip().rstrip(".") + "." if text.strip() else "A picture without a title."


def _describe_panel(axes: Axes) -> str:
    title = " ".join(
        filter(None, (_one_line(axes.get_title(loc=place)) for place in ("left", "center", "right")))
    )
    kind = _kind(axes)
    if not kind:
        return title
    where = "".join(
        f" {word} {_one_line(label)}"
        for word, label in (("of", axes.get_ylabel()), ("over", axes.get_xlabel()))
        if label
    )
    series = [*_lines(axes), *_named(axes.containers), *_named(axes.collections)]
    names = "; " + ", ".join(series[:MAX_NAMES]) if series else ""
    return f"{title}: {kind}{where}{names}" if title else f"{kind}{where}{names}"


def _kind(axes: Axes) -> str:
    if axes.images:
        return "picture"
    if not axes.axison:
        return "drawing" if not axes.get_title(loc="left") else ""
    if any(isinstance(part, BarContainer) for part in axes.containers):
        return "bar chart"
    if axes.lines:
        return "line chart"
    return "scatter chart" if axes.collections else ""


def _lines(axes: Axes) -> list[str]:
    told = []
    for line in axes.lines:
        name = _name(line)
        values = np.asarray(line.get_ydata(), dtype=float)
        values = values[np.isfinite(values)]
        if name and len(values) > 1:
            told.append(f"{name} from {values[0]:.3g} to {values[-1]:.3g}")
        elif name:
            told.append(name)
    return told


def _named(parts: Sequence[Any]) -> list[str]:
    return [name for part in parts if (name := _name(part))]


def _name(part: Any) -> str:
    label = str(part.get_label() or "")
    return "" if label.startswith("_") else _one_line(label)  # matplotlib's own labels begin with a line


def _one_line(text: str) -> str:
    return " ".join(text.split())

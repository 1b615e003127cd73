"""What an image shows, in words, for those who cannot see it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryFormatter
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter

MAX_PANELS = 6  # panels named one by one; more are counted
MAX_NAMES = 6
MAX_FIELDS = 16


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
    return text.strip().rstrip(".") + "." if text.strip() else "An image without a title."


def _describe_panel(axes: Axes) -> str:
    title = " ".join(
        filter(None, (_one_line(axes.get_title(loc=place)) for place in ("left", "center", "right")))
    )
    kind, over, of = _kind(axes), _one_line(axes.get_xlabel()), _one_line(axes.get_ylabel())
    if kind == "image" and not (over and of):  # a label alone below an image is its caption
        title, over = title or over, ""
    if not kind:
        return title
    where = (f" of {of}" if of else "") + (f" over {over}" if over else "")
    series = [*_lines(axes), *_bars(axes), *_named(axes.collections), *_numbers(axes)]
    names = "; " + ", ".join(series[:MAX_NAMES]) if series else ""
    return f"{title}: {kind}{where}{names}" if title else f"{kind}{where}{names}"


def _kind(axes: Axes) -> str:
    if axes.images:
        return "image"
    if not axes.axison:
        return "drawing" if not axes.get_title(loc="left") else ""
    if any(isinstance(part, BarContainer) for part in axes.containers):
        return "bar chart"
    if axes.lines:
        return "line chart"
    return "scatter chart" if axes.collections else ""


def _lines(axes: Axes) -> list[str]:
    """Return each named line with where it begins and ends, if its heights are numbers on the axis."""
    counted = not isinstance(axes.yaxis.get_major_formatter(), FixedFormatter | StrCategoryFormatter)
    told = []
    for line in axes.lines:
        name, values = _name(line), np.asarray(line.get_ydata(), dtype=float)
        values = values[np.isfinite(values)]
        if not name:
            continue
        _, is_height = line.get_transform().contains_branch_seperately(
            axes.transData
        )  # not so in a vertical line
        if not counted or not is_height or len(values) < 2:
            told.append(name)
        elif values.min() == values.max():
            told.append(f"{name} at {values[0]:.3g}")
        else:
            told.append(f"{name} from {values[0]:.3g} to {values[-1]:.3g}")
    return told


def _bars(axes: Axes) -> list[str]:
    told = []
    for bars in axes.containers:
        lengths = getattr(bars, "datavalues", ())
        values = " ".join(f"{length:.3g}" for length in lengths) if len(lengths) <= MAX_NAMES else ""
        told.append(" ".join(filter(None, (_name(bars), values))))
    return [words for words in told if words]


def _numbers(axes: Axes) -> list[str]:
    """Return what is written into the fields of a small table of colours."""
    written = [_one_line(text.get_text()) for text in axes.texts] if axes.images else []
    return [f"with {' '.join(written)}"] if 1 < len(written) <= MAX_FIELDS else []


def _named(parts: Sequence[Any]) -> list[str]:
    return [name for part in parts if (name := _name(part))]


def _name(part: Any) -> str:
    label = str(part.get_label() or "")
    return "" if label.startswith("_") else _one_line(label)  # matplotlib's own labels begin with a line


def _one_line(text: str) -> str:
    return " ".join(text.split())

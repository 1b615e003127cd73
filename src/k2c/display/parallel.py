"""Images of several workers: how one gradient travels, and what a step costs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from k2c.display.style import COLOURS
from k2c.errors import K2CError, unknown

WORKERS = 4
GRADIENTS = (1, 2, 3, 6)  # of the four workers; their mean is 3
SERVER = WORKERS  # the number of the parameter server, or of Spark's driver, among the nodes


class _Panel(NamedTuple):
    """One moment: what stands in every node, which arrows are on their way with what, and which nodes are new."""

    caption: str
    values: tuple[str, ...]
    arrows: tuple[tuple[int, int, str], ...] = ()
    done: tuple[int, ...] = ()


_STEPPED = ("w - 3η",) * WORKERS
_OWN = tuple(str(gradient) for gradient in GRADIENTS)
_ALL = tuple(range(WORKERS))
_PANELS = {
    "parameter_server": (
        _Panel("1. each worker has\nits own gradient", (*_OWN, "w")),
        _Panel(
            "2. push: the server\nadds them up",
            (*_OWN, "12"),
            tuple((rank, SERVER, _OWN[rank]) for rank in _ALL),
            (4,),
        ),
        _Panel("3. the server divides,\nand makes the step", ("", "", "", "", "w - 3η"), (), (4,)),
        _Panel(
            "4. pull: the new weight\ncomes back",
            (*_STEPPED, "w - 3η"),
            tuple((SERVER, rank, "") for rank in _ALL),
            _ALL,
        ),
    ),
    "all_reduce": (
        _Panel("1. each worker has\nits own gradient", _OWN),
        _Panel(
            "2. pass it on and add:\nthree messages",
            ("1", "3", "6", "12"),
            ((0, 1, "1"), (1, 2, "3"), (2, 3, "6")),
            (3,),
        ),
        _Panel(
            "3. pass the sum on:\nthree messages",
            ("12",) * 4,
            ((3, 0, "12"), (0, 1, "12"), (1, 2, "12")),
            (0, 1, 2),
        ),
        _Panel("4. each divides, and makes\nthe same step", _STEPPED, (), _ALL),
    ),
    "spark": (
        _Panel("1. each task has a gradient\nfrom its cached partition", (*_OWN, "w")),
        _Panel(
            "2. shuffle: this slice goes\nto its owner, who adds",
            ("1", "2", "12", "6"),
            ((0, 2, "1"), (1, 2, "2"), (3, 2, "6")),
            (2,),
        ),
        _Panel(
            "3. here the driver collects sums,\ndivides, and makes the step",
            ("", "", "12", "", "w - 3η"),
            ((2, SERVER, ""),),
            (SERVER,),
        ),
        _Panel(
            "4. broadcast: the tasks\nget the new weights",
            (*_STEPPED, "w - 3η"),
            tuple((SERVER, rank, "") for rank in _ALL),
            _ALL,
        ),
    ),
}


def show_exchange(kind: str, *, title: str) -> None:
    """Draw in four steps how one number of the gradient becomes the average in four workers.

    Parameters
    ----------
    kind
        `"parameter_server"`, `"all_reduce"` (a ring) or `"spark"`.

    Raises
    ------
    K2CError
        For another kind.
    """
    if kind not in _PANELS:
        raise K2CError(unknown("kind of exchange", kind, _PANELS))
    figure, axes = plt.subplots(1, 4, figsize=(13.0, 4.3))
    for place, panel in zip(axes, _PANELS[kind], strict=True):
        _draw_panel(place, panel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    figure.get_layout_engine().set(h_pad=0.12)  # type: ignore[union-attr,call-arg]
    plt.show()


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.55), aspect="equal")
    axes.axis("off")
    places = [(-0.95, 0.85), (0.95, 0.85), (0.95, -0.95), (-0.95, -0.95), (0.0, -0.05)]
    for source, target, text in panel.arrows:
        _draw_arrow(axes, places[source], places[target], text)
    for node, value in enumerate(panel.values):
        (x, y), colour = places[node], COLOURS["orange"] if node in panel.done else COLOURS["sky"]
        if node == SERVER:
            axes.add_patch(
                FancyBboxPatch(
                    (x - 0.36, y - 0.22),
                    0.72,
                    0.44,
                    boxstyle="round,pad=0.05",
                    color=colour,
                    alpha=0.9,
                    zorder=3,
                )
            )
        else:
            axes.add_patch(Circle((x, y), 0.42, color=colour, alpha=0.9, zorder=3))
        axes.text(x, y, value, ha="center", va="center", fontsize=12, zorder=4)
    axes.set_title(panel.caption, fontsize=12, loc="center")


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=20, shrinkA=30, shrinkB=30, color="#222222", linewidth=2
    )
    axes.add_patch(arrow)
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
        axes.text(x, y, text, ha="center", va="center", fontsize=12, bbox=box, zorder=5)


def show_step_times(table: pd.DataFrame, *, title: str) -> None:
    """Draw what a step takes, measured and predicted, side by side.

    Parameters
    ----------
    table
        Indexed by the number of workers: columns `measured` and `predicted`, in seconds.
    """
    _, axes = plt.subplots(figsize=(8.0, 4.2))
    places = np.arange(len(table))
    for number, (column, colour) in enumerate((("measured", "blue"), ("predicted", "orange"))):
        heights = 1000 * table[column].to_numpy(float)
        bars = axes.bar(places + 0.4 * (number - 0.5), heights, 0.38, color=COLOURS[colour], label=column)
        axes.bar_label(bars, [f"{height:.3g}" for height in heights], fontsize=12)
    axes.set_xticks(places, [str(workers) for workers in table.index])
    axes.set(title=title, xlabel="workers", ylabel="a step, in ms")
    axes.margins(y=0.12)
    axes.legend(loc="upper left")
    axes.grid(axis="x", visible=False)
    plt.show()


def show_all_reduce_times(times: Mapping[str, Sequence[tuple[int, float]]], *, title: str) -> None:
    """Draw what an all-reduce takes, one curve per algorithm.

    Parameters
    ----------
    times
        (bytes, seconds) by the name of the algorithm, as `time_all_reduce` of the strategy `mpi` returns them.
    """
    _, axes = plt.subplots()
    for name, pairs in times.items():
        axes.plot(*zip(*pairs, strict=True), marker="o", label=name.replace("_", " ").capitalize())
    axes.set(title=title, xlabel="what is averaged", ylabel="median time", xscale="log", yscale="log")
    axes.xaxis.set_major_formatter(EngFormatter("B"))
    axes.yaxis.set_major_formatter(EngFormatter("s"))
    axes.legend()
    plt.show()


def show_log_curves(
    panels: Mapping[str, Mapping[str, "pd.Series[float]"]], *, title: str, xlabel: str, ylabel: str
) -> None:
    """Draw curves on two logarithmic axes, one panel per subject.

    Parameters
    ----------
    panels
        By the panel's title: by the name in the legend, values indexed by the horizontal axis. What is 0 or missing is
        left out. A curve named `ideal` is drawn as a dashed line.
    xlabel, ylabel
        Of all panels.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(6.2 * len(panels), 4.8), squeeze=False, sharey=True)
    names = [*dict.fromkeys(label for curves in panels.values() for label in curves if label != "ideal")]
    looks: dict[str, dict[str, Any]] = {
        label: {"color": f"C{number}", "marker": "os^DvP*"[number % 7], "markersize": 8}
        for number, label in enumerate(names)
    }
    looks["ideal"] = {"color": COLOURS["grey"], "linestyle": "--"}
    for panel, (name, curves) in zip(axes[0], panels.items(), strict=True):
        for label, values in curves.items():
            kept = values[values > 0]
            panel.plot(kept.index, kept, label=label, **looks[label])
        ticks = sorted({x for values in curves.values() for x in values[values > 0].index})
        panel.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        panel.set_title(name, fontsize=13)
        panel.set_xticks(ticks, [f"{x:g}" for x in ticks])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_locator(NullLocator())
    entries = {
        label: handle
        for panel in axes[0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=4)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def show_losses(losses: Mapping[str, Sequence[float]], *, title: str, ylabel: str = "loss") -> None:
    """Draw the loss after each epoch, one curve per run; equal runs lie on top of each other.

    Parameters
    ----------
    losses
        By the name in the legend.
    """
    _, axes = plt.subplots()
    styles = ("-", "--", ":", "-.")
    for number, (name, values) in enumerate(losses.items()):
        epochs = np.arange(1, len(values) + 1)
        width = max(5.5 - 1.2 * number, 1.8)
        axes.plot(epochs, values, linestyle=styles[number % 4], linewidth=width, label=name)
    axes.set(title=title, xlabel="epoch", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    plt.show()

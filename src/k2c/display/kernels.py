"""Images of kernels: their launch, a tree of sums, a race, accesses to memory, times and the roofline."""

import re
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from k2c.display.style import COLOURS
from k2c.kernels import Ceilings, Roofline, Trace, source_of, specification

_DARK = "#222222"
_ROW = 16  # work-items in a row of the image of a group


def kernel_source(name: str) -> str:
    """Return the text of one kernel of the package, without the rest of its file.

    Raises
    ------
    K2CError
        When there is no such kernel.
    """
    text = source_of(specification(name).source)
    return re.findall(rf"^(?:VECTORS\n)?KERNEL {name}\(.*?^}}", text, re.S | re.M)[0]


def draw_launch(n: int, group: int, *, title: str) -> None:
    """Draw the first, second and last work-group of a launch: each work-item a cell, grey where it is idle.

    Parameters
    ----------
    n
        Elements.
    group
        Work-items in a work-group.
    """
    groups = -(-n // group)
    shown = [number for number in (0, 1) if number < groups - 1] + [groups - 1]
    figure, axes = plt.subplots(1, len(shown), figsize=(11.0, 3.9), squeeze=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    for ax, number in zip(axes[0], shown, strict=True):
        busy = min(group, n - number * group)
        cells = np.full(-(-group // _ROW) * _ROW, np.nan)
        cells[:group] = np.arange(group) < busy
        colours = ListedColormap(["#C8C8C8", COLOURS["blue"]])
        ax.imshow(cells.reshape(-1, _ROW), cmap=colours, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])  # a minor line vanishes where a major tick stands
        ax.set_xticks(np.arange(-0.5, _ROW), minor=True)
        ax.set_yticks(np.arange(-0.5, len(cells) // _ROW), minor=True)
        ax.grid(which="minor", color="white", linewidth=1.2)
        ax.tick_params(which="both", length=0)
        ax.spines[:].set_visible(False)
        first, last = number * group, number * group + busy - 1
        ax.set_title(f"work-group {number}", loc="center", fontsize=13)
        ax.set_xlabel(f"elements {first:,} to {last:,}" + (f"\n{group - busy} idle" if busy < group else ""))
    plt.show()


def draw_tree(numbers: Sequence[float], *, title: str) -> None:
    """Draw how a work-group adds up its numbers as a tree: halves, quarters, with the barriers between.

    Parameters
    ----------
    numbers
        As many as work-items, a power of two.
    """
    levels, span = [np.asarray(numbers, float)], len(numbers) // 2
    _, axes = plt.subplots(figsize=(10.0, 1.25 * np.log2(len(numbers)) + 2.0))
    while span:
        y, before = -len(levels), levels[-1]
        levels.append(np.r_[before[:span] + before[span : 2 * span], before[span:]])
        axes.axhline(y + 0.5, color=COLOURS["red"], linestyle="--", linewidth=1.6)
        axes.text(len(numbers) - 0.45, y + 0.53, "barrier", color=COLOURS["red"], fontsize=12, va="bottom")
        for me in range(span):
            for giver, colour in ((me + span, COLOURS["blue"]), (me, COLOURS["grey"])):
                arrow = {"arrowstyle": "-|>", "color": colour, "shrinkA": 13, "shrinkB": 13, "linewidth": 1.6}
                axes.annotate("", xy=(me, y), xytext=(giver, y + 1), arrowprops=arrow)
        span //= 2
    busy = len(numbers)
    for level, values in enumerate(levels):
        for me, value in enumerate(values):
            face = COLOURS["sky"] if me < busy else "#EEEEEE"
            box = {"boxstyle": "round,pad=0.35", "facecolor": face, "edgecolor": "none"}
            colour = _DARK if me < busy else COLOURS["grey"]
            axes.text(me, -level, f"{value:g}", ha="center", va="center", bbox=box, color=colour)
        busy //= 2
    axes.set(xlim=(-0.6, len(numbers) + 0.3), ylim=(-len(levels) + 0.55, 0.5))
    axes.set(title=title, xlabel="element of local memory, and the work-item that owns it", yticks=[])
    axes.set_xticks(range(len(numbers)))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    plt.show()


def show_answers(answers: Mapping[str, Sequence[float]], right: float, *, title: str) -> None:
    """Draw how often each answer came, one panel per kernel, with the right answer as a vertical line.

    Parameters
    ----------
    answers
        Whole-numbered answers by the kernel's name.
    right
        The right answer.
    """
    most = max(right, *(max(values) for values in answers.values()))
    width = max(1, round(most / 60))
    edges = np.arange(right % width - width / 2 - width, most + width, width)  # the right answer is mid-bar
    figure, panels = plt.subplots(1, len(answers), figsize=(11.0, 3.8), sharex=True, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    for ax, (name, values) in zip(panels[0], answers.items(), strict=True):
        ax.hist(values, bins=edges.tolist(), color=COLOURS["blue"])
        ax.axvline(right, color=COLOURS["red"], linestyle="--", linewidth=1.8)
        ax.text(right, 1.0, f"right: {right:g} ", color=COLOURS["red"], ha="right", va="top",
                transform=ax.get_xaxis_transform())  # fmt: skip
        ax.set_title(name, fontsize=13)
        ax.set_xlabel("answer")
    panels[0, 0].set_ylabel("orders")
    plt.show()


def draw_accesses(traces: Mapping[str, Trace], shapes: Mapping[str, tuple[int, int]], *, title: str) -> None:
    """Draw how often one work-group reads or writes each element of its arrays, in global and local memory.

    Parameters
    ----------
    traces
        What a work-group did, by the kernel's name: one row per kernel.
    shapes
        Rows and columns of each array, in the order of the panels; a kernel without it leaves the panel free.
    """
    counts = {
        (k, name): _accesses(trace, name, shape)
        for k, trace in traces.items()
        for name, shape in shapes.items()
    }
    most = max(count.max() for count, _ in counts.values() if count is not None)
    scale = LogNorm(1, max(2.0, most))
    colours = plt.get_cmap("viridis_r").with_extremes(bad="#F4F4F4")
    size = 2.3 * len(shapes) + 1.6, 3.0 * len(traces) + 0.5
    figure, axes = plt.subplots(len(traces), len(shapes), figsize=size, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    for ax, ((kernel, name), (count, words)) in zip(axes.flat, counts.items(), strict=True):
        ax.set(xticks=[], yticks=[], xlabel=words, aspect="equal")
        ax.grid(visible=False)
        ax.spines[:].set_visible(count is not None)
        ax.set_title("" if count is None else name, loc="center", fontsize=13)
        if name == next(iter(shapes)):
            ax.set_ylabel(kernel, fontsize=15)
        if count is not None:
            ax.imshow(count, cmap=colours, norm=scale)
    bar = figure.colorbar(
        ScalarMappable(scale, colours), ax=axes, label="reads and writes of an element", shrink=0.8
    )
    top = int(scale.vmax or 1)
    marks = [2**power for power in range(20) if 2**power < top / 1.4] + [top]
    bar.set_ticks(marks, labels=[str(mark) for mark in marks])
    bar.minorticks_off()
    plt.show()


def show_times(times: pd.DataFrame, *, title: str, xlabel: str) -> None:
    """Draw seconds against size, both axes logarithmic, one line per column; a column `predicted` is dashed."""
    _, axes = plt.subplots(figsize=(9.0, 4.8))
    for name in times:
        broken = str(name).startswith("predicted")
        look = {"linestyle": "--", "color": COLOURS["grey"]} if broken else {"marker": "o"}
        axes.loglog(times.index, times[name], label=name, **look)
    axes.set(title=title, xlabel=xlabel, ylabel="time")
    axes.yaxis.set_major_formatter(FuncFormatter(_duration))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend()
    plt.show()


def show_roofline(roof: Ceilings, families: Mapping[str, Mapping[str, Roofline]], *, title: str) -> None:
    """Draw kernels below the two ceilings of a device, on logarithmic axes.

    Parameters
    ----------
    roof
        The ceilings.
    families
        For each family (a colour and a name in the legend) its kernels: the label beside the point, the point.
    """
    _, axes = plt.subplots(figsize=(10.0, 6.0))
    points = [point for family in families.values() for point in family.values()]
    low = min([point.intensity for point in points] + [roof.ridge]) / 5
    high = max([point.intensity for point in points] + [roof.ridge]) * 8
    flat = roof.operations_per_second / 1e9
    x = np.geomspace(low, high, 200)
    axes.loglog(x, np.minimum(x * roof.bytes_per_second / 1e9, flat), color=_DARK)
    axes.text(low * 1.3, flat * 1.1, f"product: {flat:,.0f} billion operations per second", va="bottom")
    middle = np.sqrt(low * roof.ridge)
    copy = f"  copy: {roof.bytes_per_second / 1e9:,.0f} billion bytes per second"
    axes.text(middle, middle * roof.bytes_per_second / 1e9 / 1.5, copy, va="center")
    axes.set_ylim(min(point.operations_per_second for point in points) / 5e9, flat * 4)
    for (name, family), marker, left in zip(
        families.items(), "osD^", (False, True, False, False), strict=False
    ):
        _draw_family(axes, name, family, marker, left)
    axes.set(
        title=title,
        xlabel="operations for each byte that must be moved",
        ylabel="billion operations per second",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.legend(loc="lower right")
    plt.show()


def _draw_family(axes: Axes, name: str, family: Mapping[str, Roofline], marker: str, left: bool) -> None:
    where = [point.intensity for point in family.values()]
    reached = [point.operations_per_second / 1e9 for point in family.values()]
    (line,) = axes.plot(where, reached, marker, label=name, markersize=9)
    bottom, top = np.log10(axes.get_ylim())
    gap, last = (top - bottom) / 24, -np.inf  # the height of a line of text, in powers of ten
    for label, across, height in sorted(zip(family, where, reached, strict=True), key=lambda point: point[2]):
        last = max(np.log10(height), last + gap) if len(set(where)) == 1 else np.log10(height)
        axes.annotate(
            label, (across, 10**last), xytext=(-10 if left else 10, 0), textcoords="offset points",
            ha="right" if left else "left", va="center", fontsize=12, color=line.get_color(),
            path_effects=[withStroke(linewidth=4, foreground="white")],  # the roof may pass behind it
        )  # fmt: skip


def show_both_runs(curves: Mapping[str, Sequence[float]], *, title: str, xlabel: str, ylabel: str) -> None:
    """Draw two curves that should be the same, one on top of the other, and below them their difference.

    Parameters
    ----------
    curves
        Both, by name; the first is drawn thick, the second thin above it. A difference of 0 is a gap.
    """
    _, (both, apart) = plt.subplots(2, 1, figsize=(9.0, 6.0), sharex=True, height_ratios=(2, 1))
    (first, one), (second, other) = curves.items()
    steps = np.arange(1, len(one) + 1)
    both.plot(steps, one, color=COLOURS["sky"], linewidth=6, label=first)
    both.plot(steps, other, color=_DARK, linewidth=1.4, label=second)
    both.set(title=title, ylabel=ylabel)
    both.legend()
    distance = np.abs(np.subtract(one, other))
    seen = np.where(distance > 0, distance, np.nan)
    apart.semilogy(steps, seen, color=COLOURS["red"], linewidth=1.4, marker="o", markersize=3)
    apart.set(xlabel=xlabel, ylabel="difference")
    plt.show()


def show_layers(times: pd.DataFrame, *, title: str) -> None:
    """Draw the time of each layer (a row) as points, one colour a column, on a logarithmic axis."""
    _, axes = plt.subplots(figsize=(9.0, 0.23 * times.size + 1.9))
    _draw_points(axes, times)
    axes.set(xlabel="time (each mark is ten times the one before)", xscale="log")
    axes.set_title(title, pad=34)
    axes.set_xlim(times.to_numpy(float).min() / 2, times.to_numpy(float).max() * 5)
    axes.xaxis.set_major_formatter(FuncFormatter(_duration))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=times.shape[1], borderaxespad=0.2)
    plt.show()


def _draw_points(axes: Axes, times: pd.DataFrame) -> None:
    height = 0.82 / times.shape[1]
    for number, name in enumerate(times):
        places = np.arange(len(times)) + (number - (times.shape[1] - 1) / 2) * height
        predicted = str(name).startswith("predicted")
        axes.plot(
            times[name], places, marker="|" if predicted else "o", linestyle="none", markersize=10,
            markeredgewidth=3, color=COLOURS["grey"] if predicted else None, label=name,
        )  # fmt: skip
        for value, place in zip(times[name], places, strict=True):
            axes.text(value * 1.18, place, _duration(value), va="center", fontsize=12)
    for place in range(1, len(times)):
        axes.axhline(place - 0.5, color="#DDDDDD", linewidth=1)  # between the layers
    axes.set_yticks(range(len(times)), [str(row) for row in times.index])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def _accesses(trace: Trace, name: str, shape: tuple[int, int]) -> tuple[np.ma.MaskedArray | None, str]:
    """Return how often each element was read or written (masked where never), and a caption."""
    if name not in trace.arrays:
        return None, f"no {name}"
    slot = trace.arrays.index(name)
    counts = np.bincount(trace.index[trace.array == slot], minlength=shape[0] * shape[1]).reshape(shape)
    memory = "local" if trace.is_local[slot] else "global"
    ways = [
        f"{number:,} {way}" for way, number in trace.counts()[name].items() if number and way != "elements"
    ]
    return np.ma.masked_equal(counts, 0), "\n".join([*ways, f"({memory})"])


def _duration(seconds: float, _position: float = 0) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"

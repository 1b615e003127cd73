"""Figures of a screening test: ROC curves, scores and thresholds, calibration, what data quality is worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from sklearn.metrics import roc_curve

from k2c.display.style import COLOURS, show_compact
from k2c.metrics import OperatingPoint, screening_costs
from k2c.training import History


def show_epochs(
    runs: Mapping[str, History],
    columns: Mapping[str, str],
    *,
    title: str,
    log_y: Sequence[str] = (),
    mean: bool = False,
) -> None:
    """Draw what was measured after each epoch, one panel per measure and one curve per run.

    Parameters
    ----------
    runs
        Histories by name.
    columns
        Columns of the history, each with the name of its axis.
    log_y
        The columns with a logarithmic axis.
    mean
        Draw the runs thin and their mean thick: for one way to train, with several seeds and as many epochs each.
    """
    figure, axes = plt.subplots(1, len(columns), figsize=(min(4.2 * len(columns), 12.5), 4.3), squeeze=False)
    for panel, (column, label) in zip(axes[0], columns.items(), strict=True):
        shown = {name: history for name, history in runs.items() if column in history.columns}
        for name, history in shown.items():
            style = {"color": COLOURS["sky"], "linewidth": 1} if mean else {"label": name}
            panel.plot(history["epoch"], history[column], **style)
        if mean and shown:
            panel.lines[0].set_label(f"{len(shown)} seeds")
            over_runs = np.mean([each[column] for each in shown.values()], axis=0)
            panel.plot(history["epoch"], over_runs, label="their mean", color=COLOURS["blue"], linewidth=3)
        panel.set(xlabel="epoch", ylabel=label)
        if column in log_y:
            _use_log_axis(panel)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(handles), 4))
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_screening_stages(table: pd.DataFrame, *, title: str) -> None:
    """Draw the ROC AUC of each stage with its interval, the first stage on top.

    Parameters
    ----------
    table
        What `screening_table` returns.
    """
    _, axes = plt.subplots(figsize=(9.5, 0.52 * len(table) + 1.5))
    places = np.arange(len(table))[::-1]
    for place, (_, row) in zip(places, table.iterrows(), strict=True):
        axes.plot([row["AUC, low"], row["AUC, high"]], [place, place], color=COLOURS["sky"], linewidth=5)
        axes.plot(row["ROC AUC"], place, "o", color=COLOURS["blue"], markersize=10)
    axes.axvline(0.5, color=COLOURS["grey"], linestyle="--", linewidth=1.4)
    axes.set_yticks(places, [str(name) for name in table.index])
    low = min(0.48, float(table["AUC, low"].min()) - 0.02)
    axes.set(title=title, xlabel="ROC AUC, with its 95% interval", xlim=(low, 1.005), ylabel="stage")
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.grid(axis="y", visible=False)
    plt.show()


def show_roc(
    scores: Mapping[str, Any],
    labels: Any,
    *,
    title: str,
    points: Mapping[str, OperatingPoint] | None = None,
) -> None:
    """Draw ROC curves: the fraction of positives found against the fraction of negatives that raise an alarm.

    Parameters
    ----------
    scores
        The scores, (N,), by the name in the legend.
    labels
        1 for positives, 0 for negatives, (N,).
    points
        Operating points by name, drawn as dots.
    """
    _, axes = plt.subplots(figsize=(6.4, 5.4))
    for name, values in scores.items():
        alarms, found, _ = roc_curve(np.asarray(labels), np.asarray(values), drop_intermediate=False)
        axes.step(alarms, found, where="post", label=name)
    for (name, point), marker in zip((points or {}).items(), "os^D", strict=False):
        axes.plot(
            1 - point.specificity, point.sensitivity, marker, color="#222222", markersize=10, label=name
        )
    axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linestyle="--", linewidth=1.4, label="guessing")
    axes.set(
        title=title,
        xlabel="negatives with an alarm (1 - specificity)",
        ylabel="positives found (sensitivity)",
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower right", fontsize=12)
    plt.show()


def show_thresholds(
    probabilities: Any, labels: Any, points: Mapping[str, OperatingPoint], *, title: str
) -> None:
    """Draw how the log odds of negatives and positives are distributed, as fractions of each, with operating points.

    Parameters
    ----------
    probabilities, labels
        Of disease, and the truth, (N,).
    points
        Operating points by name; their thresholds become vertical lines.
    """
    odds, positive = _log_odds(probabilities), np.asarray(labels, dtype=bool)
    low, high = np.quantile(odds, [0.002, 0.998]).tolist()
    edges = np.linspace(low, high, 41)
    _, axes = plt.subplots(figsize=(9.0, 4.6))
    for chosen, name, colour in (
        (~positive, "negatives", COLOURS["blue"]),
        (positive, "positives", COLOURS["red"]),
    ):
        part = np.clip(odds[chosen], edges[0], edges[-1])
        weights = np.full(len(part), 1 / max(len(part), 1))
        axes.hist(part, bins=edges.tolist(), weights=weights, color=colour, alpha=0.55, label=name)
    for (name, point), style in zip(points.items(), ("-", "--", ":", "-."), strict=False):
        place = float(np.clip(_log_odds(point.threshold), edges[0], edges[-1]))
        axes.axvline(place, color="#222222", linestyle=style, label=name)
    axes.set(title=title, xlabel="log odds of disease", ylabel="fraction of these eyes")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(fontsize=12)
    plt.show()


def show_risk(curves: Mapping[str, Mapping[str, Any]], *, title: str) -> None:
    """Draw predicted probabilities against what was true, with a calibrated model as the diagonal.

    Parameters
    ----------
    curves
        What `risk_groups` returns, by name.
    """
    _, axes = plt.subplots(figsize=(6.4, 5.4))
    floor = 1e-3
    for (name, curve), marker in zip(curves.items(), "os^D", strict=False):
        x = np.maximum(curve["predicted"], floor)
        axes.plot(x, np.maximum(curve["observed"], floor), marker=marker, label=name)
    axes.plot(
        [floor, 1], [floor, 1], color=COLOURS["grey"], linestyle="--", linewidth=1.4, label="calibrated"
    )
    axes.set(title=title, xlabel="predicted probability of disease", ylabel="fraction of positives")
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_major_formatter(lambda fraction, _: f"{100 * fraction:g}%")
    axes.set(xlim=(floor / 1.3, 1.3), ylim=(floor / 1.3, 1.3))
    axes.legend(fontsize=12)
    plt.show()


def show_costs(scores: Any, labels: Any, prices: Sequence[float] = (1, 10, 100), *, title: str) -> None:
    """Draw the mean cost per eye against the fraction of eyes that is sent to a doctor.

    Parameters
    ----------
    scores, labels
        The scores and the truth, (N,).
    prices
        What a missed positive costs, where a false alarm costs 1.
    """
    values = np.sort(np.asarray(scores, dtype=float))
    _, axes = plt.subplots()
    for price in prices:
        thresholds, costs = screening_costs(scores, labels, missed=price)
        sent = 1 - np.searchsorted(values, thresholds) / len(values)
        (line,) = axes.plot(
            sent, costs, label=f"a missed eye costs {price:g} alarm{'' if price == 1 else 's'}"
        )
        axes.plot(sent[costs.argmin()], costs.min(), "o", color=line.get_color(), markersize=10)
    axes.set(title=title, xlabel="eyes sent to a doctor", ylabel="mean cost per eye, in false alarms")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=12)
    plt.show()


def show_auc_grid(grid: pd.DataFrame, *, title: str, xlabel: str, ylabel: str) -> None:
    """Draw a table of ROC AUCs as coloured cells, light where the test is no better than a guess.

    Parameters
    ----------
    grid
        AUCs; the rows and columns are fractions.
    """
    values = grid.to_numpy(dtype=float)
    _, axes = plt.subplots(figsize=(1.5 * grid.shape[1] + 2.6, 0.85 * grid.shape[0] + 1.9))
    axes.imshow(values, cmap="Blues", vmin=0.5, vmax=1.0, aspect="auto")
    axes.set_xticks(range(grid.shape[1]), [_fraction(column) for column in grid.columns])
    axes.set_yticks(range(grid.shape[0]), [_fraction(row) for row in grid.index])
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.8 else "#222222"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=14)
    plt.show()


def show_differences(tables: Mapping[str, pd.DataFrame], *, title: str) -> None:
    """Draw paired differences of the ROC AUC with their intervals, a panel per table and a row per comparison.

    What is within the noise is grey: the p value corrected for several comparisons is 0.05 or more, or, in tables
    without one, the interval contains 0.

    Parameters
    ----------
    tables
        By the title of the panel: the index names the comparisons, the columns are `difference`, `low` and `high`,
        and `p_holm` where the p values were corrected.
    """
    height = 0.5 * max(map(len, tables.values())) + 2.4
    corrected = all("p_holm" in table for table in tables.values())
    figure, axes = plt.subplots(
        1, len(tables), figsize=(6.6 * len(tables), height), sharex=True, squeeze=False
    )
    for panel, (name, table) in zip(axes[0], tables.items(), strict=True):
        for place, (_, row) in enumerate(table.iloc[::-1].iterrows()):
            noise = row["p_holm"] >= 0.05 if corrected else row["low"] <= 0 <= row["high"]
            colour = COLOURS["grey"] if noise else COLOURS["blue"]
            panel.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=3)
            panel.plot(row["difference"], place, "o", color=colour, markersize=9)
        panel.axvline(0, color="#222222", linestyle="--", linewidth=1.4)
        panel.set_yticks(range(len(table)), [str(name) for name in table.index[::-1]])
        panel.set(title=name, xlabel="difference of ROC AUC", ylabel="comparison")
        panel.set_ylim(-0.6, len(table) - 0.4)
        panel.grid(axis="y", visible=False)
    beyond = "corrected p below 0.05" if corrected else "interval without 0"
    handles = [
        Line2D([], [], color=COLOURS[colour], marker="o", markersize=9, linewidth=3, label=label)
        for colour, label in (("blue", f"beyond the noise: {beyond}"), ("grey", "within the noise"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def _use_log_axis(axes: Any) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    # Over many powers of ten, ticks at 2 and 5 would be written over each other.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _fraction(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, float) else str(value)


def _log_odds(probabilities: Any) -> np.ndarray:
    p = np.clip(np.asarray(probabilities, dtype=float), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))

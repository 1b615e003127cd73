"""Figures about how well a classifier does: curves, confusion, thresholds and what they cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import confusion_matrix, roc_curve

from k2c.display.style import COLOURS, HAM, SPAM


def show_curves(
    x: Any,
    curves: Mapping[str, Any],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    bands: Mapping[str, Any] | None = None,
    lines: Mapping[str, float] | None = None,
    marks: Mapping[str, float] | None = None,
    points: bool = True,
) -> None:
    """Draw one or more curves over the same values.

    Parameters
    ----------
    x
        The values of the horizontal axis.
    curves
        The values of each curve, by the name in the legend; NaN leaves a gap.
    log_x
        Whether the horizontal axis is logarithmic.
    bands
        Half the height of a band around a curve, such as the standard deviation over folds, by curve.
    lines, marks
        Horizontal and vertical broken lines, by name.
    points
        Whether each value gets a point.
    """
    _, axes = plt.subplots()
    for name, values in curves.items():
        values = np.asarray(values, dtype=float)
        (line,) = axes.plot(x, values, marker="o" if points else None, label=name)
        if bands and name in bands:
            half = np.asarray(bands[name], dtype=float)
            axes.fill_between(
                x, values - half, values + half, color=line.get_color(), alpha=0.18, linewidth=0
            )
    for name, height in (lines or {}).items():
        axes.axhline(height, color=COLOURS["grey"], linestyle="--", linewidth=1.6, label=name)
    for (name, place), style in zip((marks or {}).items(), (":", "-.", "--"), strict=False):
        axes.axvline(place, color="#222222", linestyle=style, linewidth=1.8, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if log_x:
        _use_log_axis(axes, np.asarray(x, dtype=float))
    elif np.issubdtype(np.asarray(x).dtype, np.integer):  # no half epochs
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(curves) + len(lines or {}) + len(marks or {}) > 1:
        axes.legend()
    plt.show()


def show_confusion(
    targets: Any,
    predicted: Any,
    names: Sequence[str] | None = None,
    title: str = "Confusion matrix",
    *,
    errors_only: bool = False,
) -> None:
    """Draw how many examples of each class were taken for which.

    Parameters
    ----------
    targets, predicted
        The true and the predicted class of each example.
    names
        The classes' names, in sorted order of the labels; the labels themselves where None.
    errors_only
        Whether the colour shows the number of errors, the diagonal stays white and cells without an error empty:
        for a good classifier, whose errors are otherwise too pale to see.
    """
    labels = np.unique(np.concatenate([np.asarray(targets), np.asarray(predicted)]))
    counts = confusion_matrix(targets, predicted, labels=labels)
    texts = np.vectorize("{:,}".format)(counts)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if errors_only:
        errors = np.where(np.eye(len(labels), dtype=bool), 0, counts)
        fractions = errors / max(errors.max(), 1)
        texts = np.where(counts > 0, texts, "")
    names = [str(label) for label in labels] if names is None else list(names)
    side = max(3.9, 0.55 * len(names) + 1.6)
    _, axes = plt.subplots(figsize=(side + 0.6, side))
    _draw_matrix(axes, fractions, texts, names, names)
    axes.set(title=title, xlabel="predicted", ylabel="true")
    plt.show()


def show_grid(fractions: pd.DataFrame, *, title: str, xlabel: str, ylabel: str) -> None:
    """Draw a table of fractions from 0 to 1 as coloured cells, each with its percentage."""
    _, axes = plt.subplots(figsize=(1.9 * fractions.shape[1] + 2.6, 1.0 * fractions.shape[0] + 1.9))
    texts = np.vectorize("{:.1%}".format)(fractions.to_numpy(dtype=float))
    _draw_matrix(axes, fractions.to_numpy(dtype=float), texts, list(fractions.columns), list(fractions.index))
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel, aspect="auto")
    plt.show()


def show_bars(table: pd.DataFrame, *, title: str, ylabel: str, xlabel: str = "", top: float = 1.0) -> None:
    """Draw groups of bars, each with its percentage: one group per row, one bar per column, up to `top`."""
    _, axes = plt.subplots(figsize=(max(4.5, 1.8 + 0.75 * table.size), 4.5))
    places = np.arange(len(table))
    width = 0.82 / table.shape[1]
    for number, name in enumerate(table.columns):
        offset = (number - (table.shape[1] - 1) / 2) * width
        bars = axes.bar(places + offset, table[name], width * 0.94, label=name)
        axes.bar_label(bars, labels=[f"{value:.0%}" for value in table[name]], padding=2, fontsize=11)
    axes.set_xticks(places, [str(row) for row in table.index])
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.12 * top))
    axes.set_title(title, pad=34 if table.shape[1] > 1 else 8)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="x", visible=False)
    if table.shape[1] > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=table.shape[1], borderaxespad=0.2)
    plt.show()


def show_rule_growth(growth: pd.DataFrame, spam_fraction: float | None = None) -> None:
    """Draw precision, recall and the real mail lost while a list of keywords grows.

    Parameters
    ----------
    growth
        What `RuleFilter.growth` returns.
    spam_fraction
        The fraction of spam among all messages: the precision of a filter that guesses.
    """
    _, axes = plt.subplots(figsize=(9.5, 5.2))
    places = np.arange(len(growth))
    for column, name, colour in (
        ("precision", "precision: spam among what it stops", COLOURS["green"]),
        ("recall", "recall: spam that it stops", SPAM),
        ("ham_loss", "real mail that it loses", HAM),
    ):
        axes.plot(places, growth[column], marker="o", color=colour, label=name)
    if spam_fraction is not None:
        axes.axhline(
            spam_fraction, color=COLOURS["grey"], linestyle="--", linewidth=1.6, label="precision of a guess"
        )
    axes.set_xticks(places, growth["keyword"], rotation=50, ha="right", rotation_mode="anchor")
    axes.set(title="A filter of keywords grows", xlabel="rule added", ylim=(-0.02, 1.02), ylabel="fraction")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(fontsize=12)
    plt.show()


def show_scores(scores: Any, is_spam: Any, thresholds: Mapping[str, float]) -> None:
    """Draw how the log odds of ham and of spam are spread, with thresholds as vertical lines.

    Parameters
    ----------
    scores, is_spam
        The log odds of each message, and whether it is spam.
    thresholds
        Thresholds by name; a message above one is stopped. An infinite one, which stops nothing, is left out.
    """
    thresholds = {name: place for name, place in thresholds.items() if np.isfinite(place)}
    scores, is_spam = np.asarray(scores, dtype=float), np.asarray(is_spam, dtype=bool)
    low, high = np.quantile(scores, [0.005, 0.995])
    edges = np.linspace(min(low, *thresholds.values()) - 1, max(high, *thresholds.values()) + 1, 50)
    _, axes = plt.subplots()
    clipped = np.clip(scores, edges[0], edges[-1])  # the few beyond the ends are counted in the last bars
    for chosen, name, colour in ((~is_spam, "ham", HAM), (is_spam, "spam", SPAM)):
        axes.hist(clipped[chosen], bins=edges.tolist(), color=colour, alpha=0.55, label=name)
    for (name, place), style in zip(thresholds.items(), ("-", "--", ":", "-."), strict=False):
        axes.axvline(place, color="#222222", linestyle=style, label=name)
    axes.set(title="Log odds of ham and spam", xlabel="log odds of spam", ylabel="messages")
    axes.legend()
    plt.show()


def show_threshold_cost(scores: Any, is_spam: Any, prices: Sequence[float] = (1, 10, 100)) -> None:
    """Draw the mean cost per message against the threshold, for several prices of a lost real mail.

    Parameters
    ----------
    scores, is_spam
        The log odds of each message, and whether it is spam.
    prices
        What losing one real mail costs, where letting one spam through costs 1.
    """
    scores, is_spam = np.asarray(scores, dtype=float), np.asarray(is_spam, dtype=bool)
    thresholds = np.linspace(np.quantile(scores, 0.01), np.quantile(scores, 0.99), 300)
    stopped = scores[None, :] > thresholds[:, None]
    lost, passed = (stopped & ~is_spam).sum(axis=1), (~stopped & is_spam).sum(axis=1)
    _, axes = plt.subplots()
    for price in prices:
        cost = (price * lost + passed) / len(scores)
        (line,) = axes.plot(thresholds, cost, label=f"a lost mail costs {price:g}")
        axes.plot(thresholds[cost.argmin()], cost.min(), "o", color=line.get_color(), markersize=10)
    axes.axhline(
        is_spam.mean(), color=COLOURS["grey"], linestyle="--", linewidth=1.6, label="no filter at all"
    )
    axes.set(
        title="The more a lost mail costs, the higher the best threshold",
        xlabel="threshold on the log odds of spam",
        ylabel="mean cost per message",
        ylim=(0, 3 * is_spam.mean()),
    )
    axes.legend()
    plt.show()


def show_recall_against_loss(is_spam: Any, scores: Mapping[str, Any], max_ham_loss: float) -> None:
    """Draw the spam recall that each filter reaches at each ham loss (a ROC curve with a logarithmic axis).

    Parameters
    ----------
    is_spam
        Whether each message is spam.
    scores
        The log odds of each message, by the filter's name.
    max_ham_loss
        The loss that is allowed, drawn as a vertical line.
    """
    is_spam = np.asarray(is_spam, dtype=bool)
    smallest = 1 / max((~is_spam).sum(), 1)
    _, axes = plt.subplots()
    for name, values in scores.items():
        loss, recall, _ = roc_curve(is_spam, values, drop_intermediate=False)
        # Zero has no place on a logarithmic axis; it is drawn half a message to the left of the first.
        axes.step(np.maximum(loss, smallest / 2), recall, where="post", label=name)
    axes.axvline(max(max_ham_loss, smallest / 2), color="#222222", linestyle=":", label="allowed loss")
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="ham loss", ylabel="spam recall")
    axes.set_title("Spam stopped, against real mail lost")
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend()
    plt.show()


def _use_log_axis(axes: Any, x: np.ndarray) -> None:
    axes.set_xscale("log")
    # Within three decades the values themselves are better marks than two powers of ten.
    if len(x) <= 10 and x.max() < 1000 * x.min():
        places, last = np.log10(x), np.inf
        labels = []
        for value, place in zip(x[::-1], places[::-1], strict=True):  # of two that would touch, the right one
            labels.append(f"{value:,g}" if last - place > 0.1 * np.ptp(places) else "")
            last = place if labels[-1] else last
        axes.set_xticks(x, labels[::-1])
        axes.minorticks_off()


def _percent(fraction: float, _position: float = 0) -> str:
    return f"{100 * fraction:g}%"


def _draw_matrix(
    axes: Any, fractions: np.ndarray, texts: np.ndarray, columns: Sequence[str], rows: Sequence[str]
) -> None:
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for (row, column), fraction in np.ndenumerate(fractions):
        colour = "white" if fraction > 0.55 else "#222222"
        axes.text(column, row, texts[row, column], ha="center", va="center", color=colour)

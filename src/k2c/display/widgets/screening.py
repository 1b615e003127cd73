"""A threshold by slider, and all that hangs on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, front_end, packed
from k2c.metrics import at_threshold, operating_point, screening_costs

_STEPS = 200


@dataclass(frozen=True)
class Decision:
    """What a threshold does to a group of people.

    Attributes
    ----------
    counts
        int (2, 2): rows are the negatives and the positives, columns those without and with an alarm.
    cost
        The mean cost of one person, in false alarms.
    least, best
        The least mean cost that any threshold has, and that threshold.
    """

    threshold: float
    counts: np.ndarray
    cost: float
    least: float
    best: float


def decide(scores: Any, labels: Any, threshold: float, missed: float) -> Decision:
    """Return what a threshold does, where a missed positive costs as much as `missed` false alarms."""
    values, positive = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    at_threshold(values, positive, threshold)  # complains about scores and labels that do not fit
    sent = values >= threshold
    counts = np.array([[(~sent & kind).sum(), (sent & kind).sum()] for kind in (~positive, positive)])
    thresholds, costs = screening_costs(values, positive, missed=missed)
    cost = (missed * counts[1, 0] + counts[0, 1]) / len(values)
    return Decision(threshold, counts, float(cost), float(costs.min()), float(thresholds[costs.argmin()]))


class ThresholdSlider(LectureWidget):
    """A threshold by slider: the point on the ROC curve, the confusion matrix and the cost move along.

    Parameters
    ----------
    scores, labels
        Numbers that rise with the suspicion of disease, and 1 for positives and 0 for negatives, (N,).
    start
        The threshold that it opens with, chosen on other people. Without one it opens where these have a specificity
        of 90%, which is no threshold to report on them.
    """

    front = "threshold"
    _esm = front_end(front)

    def __init__(self, scores: Any, labels: Any, start: float | None = None) -> None:
        self.scores, self.labels = np.asarray(scores, dtype=float), np.asarray(labels, dtype=int)
        if start is None:
            start = operating_point(self.scores, self.labels, specificity=0.9).threshold
        steps = np.quantile(self.scores, np.linspace(0, 1, _STEPS), method="nearest")
        data = {
            "scores": packed(self.scores, "float64"),
            "labels": packed(self.labels, "uint8"),
            "thresholds": packed(np.unique([*steps, start]), "float64"),
        }
        super().__init__(data, threshold=float(start), missed=10)

    def draw(self) -> tuple[Figure, str]:
        """Draw the ROC curve, the confusion matrix and the cost, each with the threshold in it."""
        made = decide(self.scores, self.labels, self.values["threshold"], self.values["missed"])
        figure = Figure(figsize=(12.0, 4.1), layout="constrained")
        roc, matrix, cost = figure.subplots(1, 3, width_ratios=(1, 0.95, 1.15))
        self._draw_roc(roc, made)
        _draw_matrix(matrix, made.counts)
        self._draw_cost(cost, made)
        negatives, positives = made.counts
        return figure, (
            f"At a threshold of {made.threshold:.3g}, {positives[1]} of {positives.sum()} positives are found "
            f"({positives[1] / positives.sum():.0%}) and {negatives[1]} of {negatives.sum()} negatives raise an alarm "
            f"({negatives[1] / negatives.sum():.0%}). If a missed eye costs {self.values['missed']} alarms, "
            f"the mean cost is {made.cost:.3f} alarms; the least possible is {made.least:.3f}, at {made.best:.3g}."
        )

    def _draw_roc(self, axes: Any, made: Decision) -> None:
        order = np.argsort(-self.scores, kind="stable")
        positive = self.labels[order]
        last = np.append(np.diff(self.scores[order]) != 0, True)  # ties are passed together
        alarmed, found = ((np.cumsum(kind)[last] / kind.sum()) for kind in (1 - positive, positive))
        axes.plot(np.r_[0, alarmed], np.r_[0, found], color=COLOURS["blue"])
        here = made.counts[:, 1] / made.counts.sum(axis=1)
        axes.plot(*here, "o", color=COLOURS["red"], markersize=12)
        axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linestyle="--", linewidth=1.4)
        axes.set(
            title="ROC",
            xlabel="negatives with an alarm",
            ylabel="positives found",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0))

    def _draw_cost(self, axes: Any, made: Decision) -> None:
        thresholds, costs = screening_costs(self.scores, self.labels, missed=self.values["missed"])
        values = np.sort(self.scores)
        sent = [
            1 - np.searchsorted(values, at) / len(values) for at in (*thresholds, made.best, made.threshold)
        ]
        axes.plot(sent[:-2], costs, color=COLOURS["blue"])
        axes.plot(sent[-2], made.least, "s", color=COLOURS["green"], markersize=11, label="least cost")
        axes.plot(sent[-1], made.cost, "o", color=COLOURS["red"], markersize=12, label="this threshold")
        axes.set(title="mean cost, in false alarms", xlabel="sent to a doctor", xlim=(-0.02, 1.02))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.legend()


def _draw_matrix(axes: Any, counts: np.ndarray) -> None:
    fractions = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if fractions[row, column] > 0.55 else "#222222"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=20)
    axes.set(title="who goes where", xticks=[0, 1], yticks=[0, 1])
    axes.set_xticklabels(["left alone", "sent on"])
    axes.set_yticklabels(["negative", "positive"])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)

"""Images of chest films: where findings are, which occur together, and how well each is found."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from k2c.display.style import COLOURS, show_compact

_COLUMNS = 4  # films in a row


def show_films(
    films: Sequence[Any],
    captions: Sequence[str],
    masks: Sequence[Mapping[str, Any]] | None = None,
    *,
    title: str,
) -> None:
    """Draw chest films in grey, with their findings outlined where masks are given.

    Parameters
    ----------
    films
        uint8 (H, W).
    captions
        One per film.
    masks
        For each film, bool (H, W) by finding.
    """
    rows = -(-len(films) // _COLUMNS)
    figure, axes = plt.subplots(rows, _COLUMNS, figsize=(3.1 * _COLUMNS, 3.5 * rows + 0.4), squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for number, (panel, film, caption) in enumerate(zip(axes.flat, films, captions, strict=False)):
        panel.imshow(film, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        panel.set_title(caption, fontsize=12, loc="center")
        for mask, colour in zip(
            (masks[number] if masks else {}).values(), ("sky", "yellow", "green"), strict=False
        ):
            if np.any(mask):
                panel.contour(np.asarray(mask, float), levels=[0.5], colors=[COLOURS[colour]], linewidths=1.6)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_cooccurrence(table: pd.DataFrame, *, title: str) -> None:
    """Draw how many times more often than by chance two findings are on one film; the diagonal says how rare each is.

    Parameters
    ----------
    table
        Shares of all films: with both findings; on the diagonal, with the one. A row and one column per finding.
    """
    fraction = table.to_numpy(float)
    alone = np.diag(fraction)
    lift = fraction / np.outer(alone, alone)
    size = len(table)
    _, axes = plt.subplots(figsize=(9.4, 8.2))
    limit = 3.0
    shown = np.clip(np.log2(np.where(np.eye(size, dtype=bool), 1.0, np.maximum(lift, 1e-9))), -limit, limit)
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit)
    names = [str(name).replace("_", " ") for name in table.index]
    axes.set_xticks(range(size), names, rotation=60, ha="right", fontsize=12)
    axes.set_yticks(range(size), names, fontsize=12)
    for row in range(size):
        axes.text(row, row, f"{100 * alone[row]:.1f}", ha="center", va="center", fontsize=12)
    axes.set(title=title, xlabel="finding; diagonal: on how many of 100 films", ylabel="finding")
    axes.grid(visible=False)
    bar = axes.figure.colorbar(
        image, ax=axes, shrink=0.75, extend="both", label="times as often as by chance"
    )
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"{2.0**power:g}"))
    plt.show()


def show_findings(tables: Mapping[str, pd.DataFrame], *, title: str) -> None:
    """Draw the ROC AUC of each finding with its interval, the models side by side.

    Parameters
    ----------
    tables
        What `multilabel_table` returns, by model.
    """
    first = next(iter(tables.values()))
    order = [*first.index[:-1][np.argsort(-first["ROC AUC"].to_numpy()[:-1], kind="stable")], first.index[-1]]
    _, axes = plt.subplots(figsize=(9.5, 7.6))
    places = np.arange(len(order))[::-1]
    for number, ((model, table), colour) in enumerate(
        zip(tables.items(), ("blue", "orange", "green"), strict=False)
    ):
        rows = table.loc[order]
        height = places + 0.22 * ((len(tables) - 1) / 2 - number)
        axes.hlines(
            height, rows["AUC, low"], rows["AUC, high"], color=COLOURS[colour], alpha=0.45, linewidth=5
        )
        axes.plot(rows["ROC AUC"], height, "o", color=COLOURS[colour], markersize=7, label=model)
    axes.axvline(0.5, color=COLOURS["grey"], linestyle="--", linewidth=1.4)
    axes.set_yticks(places, [str(name).replace("_", " ") for name in order])
    axes.set(title=title, xlabel="ROC AUC, with its 95% interval", ylabel="finding")
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    plt.show()

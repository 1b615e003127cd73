"""Training curves: the loss of every step, and what was measured after each epoch."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from k2c.display.style import COLOURS
from k2c.training import History

_SMOOTHED_OVER = 50  # steps of the running mean


def show_training(
    history: History,
    step_losses: Sequence[float] = (),
    *,
    title: str,
    held_back: str = "validation digits",
) -> None:
    """Draw the losses of a training run, on a logarithmic axis.

    Parameters
    ----------
    history
        What `fit` returned: the loss of the training examples and, where it was measured, of those held back.
    step_losses
        The loss of each step, from the first on. They replace the epochs' training losses, which are their means.
    held_back
        How the legend calls the examples that `valid_loss` was measured on.
    """
    _, axes = plt.subplots(figsize=(10.5, 4.4))
    if len(step_losses):
        steps_an_epoch = len(step_losses) / max(len(history), 1)
        _draw_steps(axes, np.asarray(step_losses, dtype=float))
        for epoch in range(1, len(history)):
            axes.axvline(epoch * steps_an_epoch, color=COLOURS["grey"], linestyle=":", linewidth=1.4)
    else:
        steps_an_epoch = 1.0
        axes.plot(history["epoch"], history["train_loss"], "-o", color=COLOURS["blue"], label="training")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "valid_loss" in history.columns:
        epoch_ends = np.asarray(history["epoch"]) * steps_an_epoch
        axes.plot(epoch_ends, history["valid_loss"], "-o", color=COLOURS["red"], label=held_back)
    axes.set(title=title, xlabel="step" if len(step_losses) else "epoch", ylabel="loss", yscale="log")
    low, high = axes.get_ylim()
    # Over many powers of ten, ticks at 2 and 5 would be written over each other.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend()
    plt.show()


def _draw_steps(axes: Any, losses: np.ndarray) -> None:
    window = max(min(_SMOOTHED_OVER, len(losses) // 4), 1)
    steps = np.arange(1, len(losses) + 1)
    total = np.cumsum(np.insert(losses, 0, 0.0))
    means = (total[window:] - total[:-window]) / window
    axes.plot(steps, losses, color=COLOURS["sky"], linewidth=0.7, label="training, each step")
    axes.plot(
        steps[window - 1 :], means, color=COLOURS["blue"], label=f"training, mean of the last {window} steps"
    )

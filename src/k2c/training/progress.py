"""Callbacks to look at: a progress bar, and curves that grow."""

import io
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

from k2c.training.callbacks import Callback
from k2c.training.learner import Learner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Progress(Callback):
    """A progress bar over all batches: a widget in a notebook, a line of text in a terminal.

    Parameters
    ----------
    every
        Batches between two readings of the loss (reading it waits for a GPU).
    """

    order = 10

    def __init__(self, every: int = 50) -> None:
        self.every = every
        self._bar: Any = None

    def before_fit(self, learner: Learner) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        batches = len(learner.train) if isinstance(learner.train, Sized) else 0
        total = batches * learner.epochs or None
        self._bar = tqdm(total=total, initial=batches * learner.epoch, unit="batch")

    def before_epoch(self, learner: Learner) -> None:
        """Name the epoch."""
        self._bar.set_description(f"epoch {learner.epoch + 1} of {learner.epochs}", refresh=False)

    def after_batch(self, learner: Learner) -> None:
        """Move on by a batch."""
        self._bar.update()
        if learner.batch % self.every == 0:
            self._bar.set_postfix(loss=f"{learner.loss.item():.4f}", refresh=False)

    def after_epoch(self, learner: Learner) -> None:
        """Show what the epoch measured."""
        row = learner.history.last.items()
        shown = {name: value for name, value in row if name not in ("epoch", "seconds", "learning_rate")}
        self._bar.set_postfix({n: f"{v:.4f}" for n, v in shown.items() if isinstance(v, float)}, refresh=True)

    def after_fit(self, learner: Learner) -> None:
        """Close the bar, and leave it where it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class LivePlot(Callback):
    """Curves of the losses and of some metrics, redrawn in place after every epoch.

    In a notebook the picture appears when the training starts and stays as one static figure. Elsewhere
    nothing is shown, and `figure` can be saved.

    Parameters
    ----------
    metrics
        Names for a second panel; all the metrics of the fit when this is left out.

    Attributes
    ----------
    figure
        The matplotlib figure, or None before the first fit.
    """

    order = 10

    def __init__(self, *metrics: str) -> None:
        self.metrics = metrics
        self.figure: Figure | None = None
        self._handle: Any = None

    def before_fit(self, learner: Learner) -> None:
        """Open an empty figure."""
        from matplotlib.figure import Figure

        panels = 1 + bool(self.metrics or learner.metrics)
        # Not a pyplot figure: a notebook would show that one a second time when the cell ends.
        self.figure = Figure(figsize=(4.5 * panels, 3.2), layout="constrained")
        self.figure.subplots(1, panels)
        self._draw(learner)
        if _in_notebook():
            from IPython.display import display

            self._handle = display(self._picture(), display_id=True)

    def after_epoch(self, learner: Learner) -> None:
        """Redraw."""
        self._draw(learner)
        if self._handle is not None:
            self._handle.update(self._picture())

    def after_fit(self, learner: Learner) -> None:
        """Let go of the display; the last picture stays."""
        self._handle = None

    def _draw(self, learner: Learner) -> None:
        from matplotlib.ticker import MaxNLocator

        assert self.figure is not None
        panels = [("loss", ["train_loss", "valid_loss"])]
        metrics = list(self.metrics or learner.metrics)
        panels += [(metrics[0] if len(metrics) == 1 else "metrics", metrics)]
        self.figure.suptitle("Training, epoch by epoch")
        for axes, (title, columns) in zip(self.figure.axes, panels, strict=False):
            axes.clear()
            for column in (name for name in columns if name in learner.history.columns):
                axes.plot(learner.history["epoch"], learner.history[column], marker="o", label=column)
            axes.set(xlabel="epoch", ylabel=title, xlim=(0.5, max(learner.epochs, 1) + 0.5))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if len(axes.lines) > 1:
                axes.legend()

    def _picture(self) -> Any:
        from IPython.display import Image

        assert self.figure is not None
        png = io.BytesIO()
        self.figure.savefig(png, format="png", dpi=100)
        return Image(data=png.getvalue(), format="png")


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return False
    return hasattr(get_ipython(), "kernel")

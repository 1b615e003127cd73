"""Callbacks to look at: a progress bar with a button that stops, and curves that grow."""

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any

from k2c._system.outputs import still_image, widget_bundle
from k2c.training.learner import Callback, CancelEpoch, CancelFit, Learner

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SECONDS_BETWEEN = {"bar": 0.2, "curves": 1.0}  # two updates at least so far apart: no flicker, no flood
_FRACTION_OF_TIME = 0.1  # that drawing may take of the training
_BATCHES_BETWEEN = 50  # two readings of the loss in the bar: reading it waits for a GPU


class Progress(Callback):
    """A progress bar over all batches: with a stop button in a notebook, a line of text in a terminal.

    Stopping ends the epoch after the batch that runs, measures it as usual, and ends the fit: the history has a row
    for it, checkpoints are written, `History.stopped` says so. A notebook keeps one line of text. (The button works
    while a cell runs in JupyterLab 4.4, Notebook 7.4 and newer. Elsewhere, interrupt the kernel: the weights stay.)
    """

    order = 10

    def __init__(self) -> None:
        self._bar: _Bar | _Line | None = None
        self._stop = threading.Event()
        self._batches = 0

    def stop(self) -> None:
        """Stop the training after the batch that runs; callable from any thread, as the button does."""
        self._stop.set()

    def before_fit(self, learner: Learner) -> None:
        """Open the bar."""
        self._stop.clear()
        self._batches = len(learner.train) if isinstance(learner.train, Sized) else 0
        total, done = self._batches * learner.epochs, self._batches * learner.epoch
        self._bar = _Bar(total, done, self.stop) if _shows_widgets() else _Line(total, done)

    def before_epoch(self, learner: Learner) -> None:
        """Name the epoch."""
        if self._bar is not None:
            self._bar.title = f"epoch {learner.epoch + 1} of {learner.epochs}"

    def after_batch(self, learner: Learner) -> None:
        """Move on by a batch; end the epoch here when somebody wants to stop."""
        if self._bar is not None:
            if learner.batch % _BATCHES_BETWEEN == 0:
                self._bar.values = {"loss": learner.loss.item()}
            self._bar.advance()
        if self._stop.is_set():
            raise CancelEpoch

    def after_epoch(self, learner: Learner) -> None:
        """Show what the epoch measured; end the fit when somebody wants to stop."""
        if self._bar is not None:
            self._bar.values = _measured(learner)
            self._bar.show()
        if self._stop.is_set():
            of = f" of {self._batches}" if self._batches else ""
            raise CancelFit(f"by hand in epoch {learner.epoch}, after {learner.batch + 1}{of} batches")

    def after_fit(self, learner: Learner) -> None:
        """Close the bar, and leave a line."""
        if self._bar is not None:
            values = _measured(learner) if len(learner.history) else {}
            stopped = f"; stopped {learner.history.stopped}" if learner.history.stopped else ""
            self._bar.close(f"{learner.epoch} of {learner.epochs} epochs{_listed(values)}{stopped}")
            self._bar = None


class LivePlot(Callback):
    """Curves of the losses and of some metrics, redrawn in place while the training runs.

    In a notebook the image appears when the training starts and stays as one static figure. Elsewhere
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
        self._view: Any = None
        self._within: list[tuple[float, float]] = []  # place and loss, of the batches so far
        self._mean: Any = None
        self._next = 0.0

    def before_fit(self, learner: Learner) -> None:
        """Open an empty figure."""
        from matplotlib.figure import Figure

        panels = 1 + bool(self.metrics or learner.metrics)
        # Not a pyplot figure: a notebook would show that one a second time when the cell ends.
        self.figure = Figure(figsize=(4.5 * panels, 3.2), layout="constrained")
        self.figure.subplots(1, panels)
        self._forget()
        if _shows_widgets() and os.environ.get("K2C_LIVE") != "off":  # as in runs that nobody watches
            import ipywidgets

            self._draw(learner, learner.epochs)
            png = self._png()
            self._view = ipywidgets.Image(value=png, format="png", layout={"max_width": "100%"})
            self._handle = _show(*widget_bundle(self._view, still_image(png, "Training curves")))

    def after_batch(self, learner: Learner) -> None:
        """Redraw within a long epoch, with the loss of the batches so far as a thin line."""
        if self._view is None or not isinstance(learner.train, Sized):
            return
        loss = learner.loss.detach()
        self._mean = loss if self._mean is None else self._mean.lerp(loss, 0.05)  # of the last 20 or so
        if time.monotonic() >= self._next:
            place = learner.epoch + (learner.batch + 1) / len(learner.train)
            self._within.append((place, self._mean.item()))
            self._redraw(learner)

    def after_epoch(self, learner: Learner) -> None:
        """Redraw, where somebody may be watching."""
        if self._view is not None:
            self._redraw(learner)

    def after_fit(self, learner: Learner) -> None:
        """Leave the curves as a still image."""
        if self.figure is not None:  # it is None where another callback failed first
            self._forget()
            self._draw(learner, learner.epoch)
            if _shows_widgets():
                self._leave(f"Training curves after {learner.epoch} epochs")
        self._handle = self._view = None

    def _leave(self, words: str) -> None:
        """Put the still image where the live one was, or where the cell is now."""
        from IPython.display import display

        columns = ", ".join(line.get_label() for axes in self._axes() for line in axes.lines)
        words = f"{words}: {columns}" if columns else words
        png = self._png()
        image, about = still_image(png, words), {"image/png": {"alt": words}}
        if self._handle is None:
            display(image, metadata=about, raw=True)
            return
        self._view.value = png  # for a page that was closed meanwhile and is opened again
        self._handle.update(image, metadata=about, raw=True)

    def _forget(self) -> None:
        self._within, self._mean, self._next = [], None, 0.0

    def _redraw(self, learner: Learner) -> None:
        start = time.monotonic()
        self._draw(learner, learner.epochs)
        self._view.value = self._png()
        now = time.monotonic()
        self._next = now + max(_SECONDS_BETWEEN["curves"], (now - start) / _FRACTION_OF_TIME)

    def _draw(self, learner: Learner, epochs: int) -> None:
        from matplotlib.ticker import MaxNLocator

        assert self.figure is not None
        panels = [("loss", ["train_loss", "valid_loss"])]
        metrics = list(self.metrics or learner.metrics)
        panels += [(metrics[0] if len(metrics) == 1 else "metrics", metrics)]
        self.figure.suptitle("Training, epoch by epoch")
        for axes, (title, columns) in zip(self._axes(), panels, strict=False):
            axes.clear()
            for column in (name for name in columns if name in learner.history.columns):
                axes.plot(learner.history["epoch"], learner.history[column], marker="o", label=column)
            if title == "loss" and self._within:
                axes.plot(*zip(*self._within, strict=True), color="#767676", linewidth=1, label="batches")
            axes.set(xlabel="epoch", ylabel=title, xlim=(0 if self._within else 0.5, max(epochs, 1) + 0.5))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if len(axes.lines) > 1:
                axes.legend()

    def _axes(self) -> list[Any]:
        assert self.figure is not None
        return list(self.figure.axes)

    def _png(self) -> bytes:
        assert self.figure is not None
        png = io.BytesIO()
        self.figure.savefig(png, format="png", dpi=100)
        return png.getvalue()


class _Line:
    """The bar in a terminal."""

    def __init__(self, total: int, done: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total or None, initial=done, unit="batch")
        self.title = ""
        self.values: dict[str, float] = {}

    def advance(self) -> None:
        self.show(refresh=False)
        self._bar.update()

    def show(self, refresh: bool = True) -> None:
        self._bar.set_description(self.title, refresh=False)
        self._bar.set_postfix({name: f"{value:.4f}" for name, value in self.values.items()}, refresh=refresh)

    def close(self, _words: str) -> None:
        self._bar.close()


class _Bar:
    """The bar in a notebook, with its button."""

    def __init__(self, total: int, done: int, stop: Callable[[], None]) -> None:
        import ipywidgets

        self.title, self._done, self._next = "", done, 0.0
        self.values: dict[str, float] = {}
        self._bar = ipywidgets.IntProgress(done, 0, max(total, 1), layout={"width": "220px"})
        self._words = ipywidgets.Label("training starts")
        self._button = ipywidgets.Button(
            description="Stop", icon="stop", tooltip="Stop after this batch, and keep what is learnt"
        )
        self._button.on_click(lambda _button: self._pressed(stop))
        _answer_in_a_free_thread(self._button)
        self._box = ipywidgets.HBox([self._bar, self._button, self._words])
        self._handle = _show(*widget_bundle(self._box, {"text/plain": "training starts"}))

    def advance(self) -> None:
        self._done += 1
        if time.monotonic() >= self._next:
            self.show()

    def show(self) -> None:
        self._bar.value = self._done
        self._words.value = f"{self.title}{_listed(self.values)}"
        self._next = time.monotonic() + _SECONDS_BETWEEN["bar"]

    def close(self, words: str) -> None:
        """Leave the words; the widget says them too, to a page that was closed meanwhile and is opened again."""
        self._bar.value, self._words.value = self._done, words
        self._box.children = [self._bar, self._words]
        self._button.close()
        self._handle.update({"text/plain": words}, raw=True)

    def _pressed(self, stop: Callable[[], None]) -> None:
        self._button.description, self._button.disabled = "stopping ...", True
        stop()


def _answer_in_a_free_thread(widget: Any) -> None:
    """Let a widget be answered while the main thread trains: in the thread that the front end asks for, a subshell.

    From ipykernel 7.4 on, the thread that spoke last on a widget's channel gets its messages: here, the one that is
    busy. Older ones heed the front end anyway.
    """
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = lambda _data, asked_for: asked_for


def _measured(learner: Learner) -> dict[str, float]:
    row = learner.history.last.items()
    hidden = ("epoch", "seconds", "learning_rate")
    return {name: value for name, value in row if name not in hidden and isinstance(value, float)}


def _listed(values: dict[str, float]) -> str:
    return "".join(f", {name} {value:.4f}" for name, value in values.items())


def _show(data: dict[str, Any], about: dict[str, Any]) -> Any:
    from IPython.display import display

    return display(data, metadata=about, raw=True, display_id=True)


def _shows_widgets() -> bool:
    """Whether this is a notebook's kernel, and not a script or a terminal."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")

"""A pad to draw a digit on, and what a network makes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import nn

from k2c.datasets import to_inputs
from k2c.display.images import INK, SIGNED
from k2c.display.style import COLOURS
from k2c.display.widgets.base import PictureWidget, shows_errors
from k2c.display.widgets.strokes import THREE, Stroke, rasterise


class Reading(NamedTuple):
    """What a network makes of a picture.

    Attributes
    ----------
    image
        uint8 (28, 28): what it sees, 0 is paper and 255 is ink.
    probabilities
        float (10,), of the digits.
    maps
        float (maps, height, width) for each convolution, after the layer that follows it.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: list[np.ndarray]


def read_digit(strokes: Sequence[Stroke], network: nn.Sequential) -> Reading:
    """Prepare strokes as MNIST's digits were, and let a network read them.

    Parameters
    ----------
    strokes
        See `k2c.display.widgets.strokes.rasterise`.
    network
        Layer by layer, such as `LeNet`: float32 (1, 1, 28, 28) to the logits of ten digits.
    """
    image, maps = rasterise(strokes), []
    weights = next(network.parameters())
    values = to_inputs(torch.from_numpy(image)[None]).to(weights.device)
    layers, was_training = list(network), network.training
    network.eval()
    with torch.inference_mode():
        for before, layer in zip([None, *layers], layers, strict=False):
            values = layer(values)
            if isinstance(before, nn.Conv2d):
                maps.append(values[0].cpu().numpy())
    network.train(was_training)
    return Reading(image, values[0].softmax(dim=0).cpu().numpy(), maps)


class _Paper(anywidget.AnyWidget):
    """The paper itself: it sends the strokes as they are drawn."""

    _esm = Path(__file__).with_name("digit_pad.js")
    strokes: Any = traitlets.List().tag(sync=True)
    answered = traitlets.Int().tag(sync=True)


class DigitPad(PictureWidget):
    """A pad to draw a digit on; a network's answer, what it sees and its feature maps, while one draws.

    Parameters
    ----------
    network
        See `read_digit`.
    strokes
        What stands on the paper at the start; a three where it is left out.
    """

    def __init__(self, network: nn.Sequential, strokes: Sequence[Stroke] = THREE) -> None:
        self.network = network
        self.paper = _Paper(strokes=[[list(point) for point in stroke] for stroke in strokes])
        clear = ipywidgets.Button(description="Clear", icon="eraser", tooltip="Take a new sheet of paper")
        clear.on_click(self._clear)
        self.paper.observe(self._changed, names="strokes")
        super().__init__([self.paper, clear])

    def draw(self) -> tuple[Figure, str]:
        """Draw what the network sees, its answer and its feature maps."""
        reading = read_digit(self.paper.strokes, self.network)
        figure = Figure(figsize=(10.5, 5.6), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1.0, 1.1))  # type: ignore[misc]
        seen, bars = above.subplots(1, 2, width_ratios=(1, 2.4))
        seen.imshow(reading.image, cmap=INK, vmin=0, vmax=255)
        _frame(seen, "what it sees: 28 × 28")
        best = int(reading.probabilities.argmax())
        colours = [COLOURS["red"] if digit == best else COLOURS["grey"] for digit in range(10)]
        bars.bar(range(10), reading.probabilities, color=colours)
        bars.set(title="how sure it is", xlabel="digit", ylabel="probability", ylim=(0, 1))
        bars.set_xticks(range(10))
        bars.grid(axis="x", visible=False)
        for axes, maps in zip(
            below.subplots(1, len(reading.maps), squeeze=False)[0], reading.maps, strict=True
        ):
            most = float(np.abs(maps).max()) or 1.0
            axes.imshow(mosaic(maps), cmap=SIGNED, vmin=-most, vmax=most)
            _frame(axes, f"{len(maps)} maps of {maps.shape[1]} × {maps.shape[2]}")
        return figure, self._words(reading)

    def show(self) -> None:
        """Read the digit anew, and tell the paper which of its points were read."""
        points = sum(map(len, self.paper.strokes))
        super().show()
        self.paper.answered = points

    def _words(self, reading: Reading) -> str:
        if not reading.image.any():
            return "The paper is empty. Draw a digit; even empty paper gets an answer, since it knows nothing else."
        order = reading.probabilities.argsort()[::-1]
        first, second = (f"{digit} ({reading.probabilities[digit]:.0%})" for digit in order[:2])
        return f"The network reads {first}; next it would say {second}."

    @shows_errors
    def _clear(self, _button: object) -> None:
        self.paper.strokes = []


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Lay maps (N, height, width) side by side with gaps between, about twice as wide as high."""
    count, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(2 * count)))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for number, each in enumerate(maps):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = each
    return sheet


def _frame(axes: Any, title: str) -> None:
    axes.set(title=title, xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
